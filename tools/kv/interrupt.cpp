#include "tools/kv/interrupt.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "common/check.h"

namespace drover::kv {
namespace {

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = watched_signals();
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  DROVER_CHECK(fd_.is_open());
}

bool Interrupt::take() {
  signalfd_siginfo came{};
  if (::read(fd_.get(), &came, sizeof came) != sizeof came) return false;
  taken_ = static_cast<int>(came.ssi_signo);
  const sigset_t signals = watched_signals();
  std::signal(taken_, SIG_DFL);  // a shell has it ignored in the background
  sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  return true;
}

void Interrupt::end_program() const {
  std::raise(taken_);
  std::exit(128 + taken_);  // not reached: the signal has ended the program
}

}  // namespace drover::kv

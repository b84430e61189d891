#include "tools/kv/interrupt.h"

#include <poll.h>
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

bool Interrupt::has_come() const {
  pollfd one{fd_.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

void Interrupt::end_program() const {
  signalfd_siginfo came{};
  if (::read(fd_.get(), &came, sizeof came) == sizeof came) {
    const int number = static_cast<int>(came.ssi_signo);
    const sigset_t signals = watched_signals();
    std::signal(number, SIG_DFL);
    std::raise(number);
    sigprocmask(SIG_UNBLOCK, &signals, nullptr);
  }
  std::exit(128 + SIGINT);  // not reached: the signal has ended the program
}

}  // namespace drover::kv

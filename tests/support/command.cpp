#include "tests/support/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

#include "common/unique_fd.h"
#include "tests/support/failure.h"

namespace drover::test {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_errno("pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Reads what is there; closes the descriptor at its end.
void drain_into(UniqueFd& fd, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got > 0) text.append(buffer.data(), static_cast<size_t>(got));
  if (got == 0 || (got < 0 && errno != EINTR)) fd.reset();
}

// A daemon that the command left behind may hold its stderr open, so the end of the process is the
// end of the wait.
bool collect(pid_t pid, UniqueFd& out, UniqueFd& err, CommandResult& result,
             Clock::time_point end) {
  int status = 0;
  bool ended = false;
  while (Clock::now() < end && !ended) {
    ended = ::waitpid(pid, &status, WNOHANG) == pid;
    std::array<pollfd, 2> both{pollfd{out.get(), POLLIN, 0}, pollfd{err.get(), POLLIN, 0}};
    const int patience_ms = ended ? 0 : 5;
    while (::poll(both.data(), both.size(), patience_ms) > 0 && Clock::now() < end) {
      if (both[0].revents != 0) drain_into(out, result.output);
      if (both[1].revents != 0) drain_into(err, result.errors);
      both[0].fd = out.get();
      both[1].fd = err.get();
      if (!out.is_open() && !err.is_open()) break;
    }
  }
  if (ended) result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace

void exec_program(const std::vector<std::string>& argv, const Environment& extra) {
  std::vector<char*> pointers;
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  for (const auto& [name, value] : extra) ::setenv(name.c_str(), value.c_str(), 1);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

CommandResult run_command(const std::vector<std::string>& argv, const Environment& extra,
                          Millis patience) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const pid_t pid = ::fork();
  if (pid < 0) fail_errno("fork");
  if (pid == 0) {
    ::dup2(out.write_end.get(), STDOUT_FILENO);
    ::dup2(err.write_end.get(), STDERR_FILENO);
    exec_program(argv, extra);
  }
  out.write_end.reset();
  err.write_end.reset();
  CommandResult result;
  if (!collect(pid, out.read_end, err.read_end, result, Clock::now() + patience)) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    result.errors += "\n(killed: did not end in time)";
  }
  return result;
}

}  // namespace drover::test

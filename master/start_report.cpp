#include "master/start_report.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "common/channel.h"
#include "common/process.h"

namespace drover {
namespace {

// What the parent reads: nothing but "0" is success; anything else is the message.
[[noreturn]] void wait_for_verdict(int pipe) {
  std::string verdict;
  char buffer[1024];
  ssize_t count = 0;
  while ((count = read(pipe, buffer, sizeof buffer)) > 0)
    verdict.append(buffer, static_cast<std::size_t>(count));
  if (verdict == "0") _exit(0);
  if (verdict.empty()) verdict = "drover: the daemon died before it was ready\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, verdict.data(), verdict.size());
  _exit(1);
}

void write_all(int fd, const std::string& text) {
  [[maybe_unused]] const ssize_t written =
      write(fd, text.data(), text.size());  // a pipe takes this much at once
}

}  // namespace

Result<StartReport> StartReport::daemonize() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno("pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t first = fork();
  if (first < 0) return Error::from_errno("fork");
  if (first > 0) {
    writer.reset();
    wait_for_verdict(reader.get());
  }
  reader.reset();
  setsid();
  const pid_t second = fork();
  if (second < 0) return Error::from_errno("fork");
  if (second > 0) _exit(0);
  return StartReport(std::move(writer), Audience::kParent);
}

StartReport StartReport::to_terminal() {
  return {UniqueFd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)), Audience::kTerminal};
}

StartReport StartReport::to_predecessor(int channel_fd) {
  return {UniqueFd(fcntl(channel_fd, F_DUPFD_CLOEXEC, 3)), Audience::kPredecessor};
}

void StartReport::succeed() {
  if (audience_ == Audience::kParent) {
    write_all(fd_.get(), "0");
    leave_terminal();
  }
  audience_ = Audience::kNobody;
  fd_.reset();
}

void StartReport::fail(const std::string& why) {
  if (!fd_.is_open()) return;
  write_all(fd_.get(),
            audience_ == Audience::kPredecessor ? encode_message(MessageType::kRefused, why) : why);
  fd_.reset();
}

}  // namespace drover

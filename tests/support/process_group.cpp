#include "tests/support/process_group.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "tests/support/failure.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

// The first record of the pipe names the program; the others say how a process ended.
struct Report {
  pid_t pid = 0;
  int status = 0;
};

constexpr int kReportFd = 3;
constexpr int kLogFd = 4;

void kill_descendants() {
  for (std::vector<pid_t> left; !(left = descendants_of(::getpid())).empty();) {
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::usleep(1000);
  }
}

void reap_and_report() {
  Report report;
  while ((report.pid = ::waitpid(-1, &report.status, WNOHANG)) > 0) {
    const ssize_t written = ::write(kReportFd, &report, sizeof report);
    static_cast<void>(written);  // the test has gone: SIGTERM is on its way
  }
}

sigset_t keeper_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGCHLD);
  ::sigaddset(&set, SIGTERM);
  return set;
}

// Gives up every descriptor of the test but these two: a client's socket held here would never be
// seen to close.
void keep_two_descriptors(int report_fd, int log_fd) {
  const int report_copy = ::fcntl(report_fd, F_DUPFD, 10);
  const int log_copy = ::fcntl(log_fd, F_DUPFD, 10);
  ::dup2(report_copy, kReportFd);
  ::dup2(log_copy, kLogFd);
  ::close_range(kLogFd + 1, ~0U, 0);
  ::fcntl(kReportFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kLogFd, F_SETFD, FD_CLOEXEC);
}

[[noreturn]] void start_program(const std::vector<std::string>& argv, const Environment& extra) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(kLogFd, STDOUT_FILENO);
  ::dup2(kLogFd, STDERR_FILENO);
  exec_program(argv, extra);
}

[[noreturn]] void keeper_main(const std::vector<std::string>& argv, const Environment& extra) {
  const sigset_t set = keeper_signals();
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::prctl(PR_SET_NAME, "test-keeper");
  const Report started{::fork(), 0};
  if (started.pid == 0) start_program(argv, extra);
  const ssize_t written = ::write(kReportFd, &started, sizeof started);
  if (written != sizeof started) ::raise(SIGTERM);
  siginfo_t what{};
  while (::sigwaitinfo(&set, &what) != SIGTERM) reap_and_report();
  kill_descendants();
  ::_exit(0);
}

}  // namespace

ProcessGroup::ProcessGroup(const std::vector<std::string>& argv, const Environment& extra,
                           const std::string& log_path) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_errno("pipe2");
  reports_.reset(ends[0]);
  const UniqueFd write_end(ends[1]);
  const UniqueFd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log.is_open()) fail_errno(log_path);
  keeper_ = ::fork();
  if (keeper_ < 0) fail_errno("fork");
  if (keeper_ == 0) {
    keep_two_descriptors(write_end.get(), log.get());
    keeper_main(argv, extra);
  }
  Report started;
  if (::read(reports_.get(), &started, sizeof started) != sizeof started)
    fail("the keeper did not start");
  program_ = started.pid;
  ::fcntl(reports_.get(), F_SETFL, O_NONBLOCK);
}

ProcessGroup::~ProcessGroup() {
  ::kill(keeper_, SIGTERM);
  ::waitpid(keeper_, nullptr, 0);
}

void ProcessGroup::read_reports() {
  Report report;
  while (::read(reports_.get(), &report, sizeof report) == sizeof report) {
    if (report.pid != program_ || status_) continue;
    status_ = WIFEXITED(report.status) ? WEXITSTATUS(report.status) : 128 + WTERMSIG(report.status);
  }
}

std::optional<int> ProcessGroup::program_status() {
  read_reports();
  return status_;
}

std::vector<pid_t> ProcessGroup::members() const {
  std::vector<pid_t> pids = descendants_of(keeper_);
  pids.erase(std::remove_if(pids.begin(), pids.end(), [](pid_t pid) { return !is_alive(pid); }),
             pids.end());
  return pids;
}

void ProcessGroup::kill_all() {
  const bool gone = wait_until([this] {
    const std::vector<pid_t> left = members();
    for (const pid_t pid : left) ::kill(pid, SIGKILL);
    return left.empty();
  });
  if (!gone) fail("processes survive SIGKILL");
}

}  // namespace drover::test

#include "common/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "common/unique_fd.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX asks for it

namespace drover {
namespace {

// The memory argv and the environment lie in, which ps reads; the one piece of state a process has
// only once.
struct TitleArea {
  char* begin = nullptr;
  std::size_t size = 0;
  char** environment = nullptr;  // all that was moved, also what was unset since
};
TitleArea title_area;

void move_environment() {
  std::size_t count = 0;
  while (environ[count] != nullptr) ++count;
  auto** moved = new char*[count + 1];  // this and what is in it live as long as the process
  for (std::size_t i = 0; i < count; ++i) moved[i] = strdup(environ[i]);
  moved[count] = nullptr;
  title_area.environment = new char*[count];
  std::copy_n(moved, count, title_area.environment);
  environ = moved;
}

void close_all_but(std::vector<int> keep) {
  keep.insert(keep.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO});
  std::sort(keep.begin(), keep.end());
  unsigned first = 0;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first) close_range(first, kept - 1, 0);
    first = std::max(first, kept + 1);
  }
  close_range(first, ~0U, 0);
}

}  // namespace

void init_process_title(int argc, char** argv) {
  char* end = argv[0];
  for (int i = 0; i < argc; ++i) end = argv[i] + std::strlen(argv[i]) + 1;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (*entry == end) end = *entry + std::strlen(*entry) + 1;
  }
  move_environment();
  title_area.begin = argv[0];
  title_area.size = static_cast<std::size_t>(end - argv[0]);
}

void set_process_title(std::string_view title) {
  if (title_area.size == 0) return;
  std::memset(title_area.begin, 0, title_area.size);
  std::memcpy(title_area.begin, title.data(), std::min(title.size(), title_area.size - 1));
}

void shed_parent(event_base* parents_base, std::vector<int> keep) {
  setpgid(0, 0);  // fails only for a session leader, which a forked child is not
  event_reinit(parents_base);
  event_base_free(parents_base);
  reset_signals();  // after libevent, which puts back the handlers it had found
  ignore_masters_signals();
  closelog();  // its descriptor is about to be closed and its number to be used again
  close_all_but(std::move(keep));
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
}

void ignore_masters_signals() {
  for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGPIPE}) {
    std::signal(number, SIG_IGN);
  }
}

void leave_terminal() {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null.get(), fd);
}

Status drop_privileges(const std::string& user, const std::string& group) {
  if (user.empty()) return Done{};
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) return Error("user " + user + ": no such user");
  gid_t gid = account->pw_gid;
  if (!group.empty()) {
    const struct group* entry = getgrnam(group.c_str());
    if (entry == nullptr) return Error("group " + group + ": no such group");
    gid = entry->gr_gid;
  }
  const uid_t uid = account->pw_uid;
  if (initgroups(user.c_str(), gid) != 0) return Error::from_errno("initgroups " + user);
  if (setgid(gid) != 0) return Error::from_errno("setgid");
  if (setuid(uid) != 0) return Error::from_errno("setuid " + user);
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) return Error::from_errno("prctl PR_SET_DUMPABLE");
  return Done{};
}

// "PID (COMMAND) STATE ..." (proc(5)); a command may have parentheses of its own.
bool is_running(pid_t pid) {
  if (pid <= 0) return false;
  std::string line;
  std::getline(std::ifstream(fmt::format("/proc/{}/stat", pid)), line, '\0');
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos || end + 2 >= line.size()) return false;
  return line[end + 2] != 'Z' && line[end + 2] != 'X';
}

// "BEGIN-END PERMISSIONS OFFSET DEVICE INODE PATH" (proc(5)); of a zombie there is nothing to read.
bool has_mapped(pid_t pid, ino_t inode) {
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  std::string range, permissions, offset, device, rest;
  std::uint64_t number = 0;
  while (maps >> range >> permissions >> offset >> device >> number) {
    if (number == inode) return true;
    std::getline(maps, rest);
  }
  return false;
}

void die_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) raise(SIGKILL);
}

void allow_orphaning() { prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); }

void leave_service_manager() {
  for (const char* name : {"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
                           "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    unsetenv(name);
  }
}

SignalsBlocked::SignalsBlocked() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &former_);
}

SignalsBlocked::~SignalsBlocked() { sigprocmask(SIG_SETMASK, &former_, nullptr); }

void SignalsBlocked::unblock_all() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace drover

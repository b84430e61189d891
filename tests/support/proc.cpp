#include "tests/support/proc.h"

#include <dirent.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <unordered_map>

#include "tests/support/failure.h"
#include "tests/support/files.h"
#include "tests/support/wait.h"

namespace drover::test {
namespace {

std::filesystem::path proc_path(pid_t pid, const char* name) {
  return std::filesystem::path("/proc") / std::to_string(pid) / name;
}

struct Stat {
  char state = 0;
  pid_t parent = 0;
};

// The command's name may hold spaces and brackets, so the fields are read from the last ')'.
Stat stat_of(pid_t pid) {
  const std::string text = read_file(proc_path(pid, "stat"));
  const size_t bracket = text.rfind(')');
  if (bracket == std::string::npos) return {};
  std::istringstream fields(text.substr(bracket + 1));
  Stat stat;
  fields >> stat.state >> stat.parent;
  return stat;
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(dir);
  return names;
}

std::unordered_multimap<pid_t, pid_t> children_by_parent() {
  std::unordered_multimap<pid_t, pid_t> tree;
  for (const std::string& name : names_in("/proc")) {
    const auto pid = static_cast<pid_t>(std::atoi(name.c_str()));
    if (pid > 0) tree.emplace(stat_of(pid).parent, pid);
  }
  return tree;
}

// The value in kB behind "Name:" in a file of such lines, as bytes.
std::int64_t kilobyte_field(const std::string& text, const std::string& name) {
  const size_t at = text.find(name);
  if (at == std::string::npos) return 0;
  return std::atoll(text.c_str() + at + name.size()) * 1024;
}

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const auto tree = children_by_parent();
  const auto [first, last] = tree.equal_range(pid);
  for (auto it = first; it != last; ++it) children.push_back(it->second);
  std::sort(children.begin(), children.end());
  return children;
}

std::vector<pid_t> descendants_of(pid_t pid) {
  const auto tree = children_by_parent();
  std::vector<pid_t> found{pid};
  for (size_t i = 0; i < found.size(); ++i) {
    const auto [first, last] = tree.equal_range(found[i]);
    for (auto it = first; it != last; ++it) found.push_back(it->second);
  }
  found.erase(found.begin());
  std::sort(found.begin(), found.end());
  return found;
}

char state_of(pid_t pid) { return stat_of(pid).state; }

bool is_alive(pid_t pid) {
  const char state = state_of(pid);
  return state != 0 && state != 'Z' && state != 'X';
}

std::string title_of(pid_t pid) {
  std::string title = read_file(proc_path(pid, "cmdline"));
  while (!title.empty() && title.back() == '\0') title.pop_back();
  std::replace(title.begin(), title.end(), '\0', ' ');
  return title;
}

std::int64_t rss_bytes(pid_t pid) {
  return kilobyte_field(read_file(proc_path(pid, "status")), "VmRSS:");
}

std::int64_t private_dirty_bytes(pid_t pid) {
  return kilobyte_field(read_file(proc_path(pid, "smaps_rollup")), "Private_Dirty:");
}

std::int64_t cpu_ns(pid_t pid) {
  std::int64_t total = 0;
  for (const std::string& thread : names_in(proc_path(pid, "task"))) {
    total += std::atoll(read_file(proc_path(pid, "task") / thread / "schedstat").c_str());
  }
  return total;
}

std::vector<std::string> fd_links(pid_t pid) {
  std::vector<std::string> links;
  for (const std::string& name : names_in(proc_path(pid, "fd"))) {
    std::error_code gone;
    links.push_back(std::filesystem::read_symlink(proc_path(pid, "fd") / name, gone).string());
    if (gone) links.pop_back();
  }
  return links;
}

int fd_count(pid_t pid) {
  const std::vector<std::string> links = fd_links(pid);
  return static_cast<int>(
      std::count_if(links.begin(), links.end(), [](const auto& to) { return to != "/dev/null"; }));
}

std::vector<std::uint64_t> socket_inodes_of(pid_t pid) {
  std::vector<std::uint64_t> inodes;
  const std::string prefix = "socket:[";
  for (const std::string& link : fd_links(pid)) {
    if (link.rfind(prefix, 0) != 0) continue;
    inodes.push_back(std::strtoull(link.c_str() + prefix.size(), nullptr, 10));
  }
  return inodes;
}

namespace {

// 0 is what "there is no such worker" looks like, and the test's own process group to kill().
void send_signal(pid_t pid, int number) {
  if (pid <= 0) fail("there is no process to signal");
  ::kill(pid, number);
}

}  // namespace

void kill_now(pid_t pid) { send_signal(pid, SIGKILL); }

void stop(pid_t pid) {
  send_signal(pid, SIGSTOP);
  const bool stopped = wait_until([&] { return state_of(pid) == 'T' || !is_alive(pid); });
  static_cast<void>(stopped);  // a process in a long system call: the test will see it alive
}

void resume(pid_t pid) { send_signal(pid, SIGCONT); }

}  // namespace drover::test

#include "common/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/directive_text.h"
#include "common/units.h"

namespace drover {
namespace {

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  std::string content = text.str();
  while (!content.empty() && content.back() == '\n') content.pop_back();
  return content;
}

std::optional<int> divide(std::string_view quota, std::string_view period) {
  auto quota_us = parse_number(quota);
  auto period_us = parse_number(period);
  if (!quota_us || !period_us || *quota_us == 0 || *period_us == 0) return std::nullopt;
  const std::int64_t whole = *quota_us / *period_us + (*quota_us % *period_us != 0 ? 1 : 0);
  return static_cast<int>(std::min<std::int64_t>(whole, CPU_SETSIZE));
}

std::optional<int> smaller(std::optional<int> a, std::optional<int> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// The smallest quota from `directory` up to `top`, which is a part of it.
template <class Quota>
std::optional<int> smallest_up_to(std::string directory, const std::string& top, Quota quota) {
  std::optional<int> least;
  while (directory.size() >= top.size()) {
    least = smaller(least, quota(directory));
    directory.resize(std::max<std::size_t>(directory.rfind('/'), 1));
  }
  return least;
}

std::optional<int> v2_quota(const std::string& directory) {
  return cpus_of_cpu_max(read_text(directory + "/cpu.max"));
}

std::optional<int> v1_quota(const std::string& directory) {
  return cpus_of_cfs(read_text(directory + "/cpu.cfs_quota_us"),
                     read_text(directory + "/cpu.cfs_period_us"));
}

// One line of /proc/self/cgroup: "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1).
std::optional<int> quota_of_line(const std::string& line, const std::string& root) {
  const std::size_t first = line.find(':');
  const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
  if (second == std::string::npos) return std::nullopt;
  const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
  std::string path = line.substr(second + 1);
  if (path == "/") path.clear();
  const std::string top = root + kCgroupRoot;
  if (controllers == ",,") return smallest_up_to(top + path, top, v2_quota);
  if (controllers.find(",cpu,") == std::string::npos) return std::nullopt;
  const std::string v1_top = top + "/cpu";  // a link to cpu,cpuacct where both are mounted together
  return smallest_up_to(v1_top + path, v1_top, v1_quota);
}

int affinity_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails only on machines with more than CPU_SETSIZE CPUs, which is above the number of slots
  // anyway.
  if (sched_getaffinity(0, sizeof set, &set) != 0) return CPU_SETSIZE;
  return std::max(CPU_COUNT(&set), 1);
}

}  // namespace

std::optional<int> cpus_of_cpu_max(std::string_view cpu_max) {
  const std::vector<std::string> words = split_words(cpu_max);
  if (words.size() != 2) return std::nullopt;
  return divide(words[0], words[1]);
}

std::optional<int> cpus_of_cfs(std::string_view quota_us, std::string_view period_us) {
  return divide(quota_us, period_us);
}

std::optional<int> cgroup_cpus(const std::string& root) {
  std::optional<int> least;
  std::istringstream lines(read_text(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    least = smaller(least, quota_of_line(line, root));
  }
  return least;
}

int usable_cpus() { return std::min(affinity_cpus(), cgroup_cpus().value_or(CPU_SETSIZE)); }

}  // namespace drover

// How many CPUs this process may use: its affinity mask, cut by the quota of its cgroup (v1 and
// v2), as a container sets it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace drover {

// The CPUs that a quota of CPU time amounts to, rounded up, at least 1. Nothing when there is no
// quota. "200000 100000" or "max 100000", the content of cgroup v2's cpu.max.
[[nodiscard]] std::optional<int> cpus_of_cpu_max(std::string_view cpu_max);
// The contents of cgroup v1's cpu.cfs_quota_us (-1: none) and cpu.cfs_period_us.
[[nodiscard]] std::optional<int> cpus_of_cfs(std::string_view quota_us, std::string_view period_us);

// The smallest quota of the process's cgroup and all above it. `root` stands before /proc and /sys,
// for tests.
[[nodiscard]] std::optional<int> cgroup_cpus(const std::string& root = "");

// Affinity and quota together, at least 1.
[[nodiscard]] int usable_cpus();

}  // namespace drover

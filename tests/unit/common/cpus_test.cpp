// Quotas of CPU time become numbers of CPUs; the smallest of the whole cgroup path counts.
#include "common/cpus.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/settings.h"

namespace drover {
namespace {

TEST(Cpus, RoundsAQuotaUp) {
  EXPECT_EQ(cpus_of_cpu_max("200000 100000"), 2);
  EXPECT_EQ(cpus_of_cpu_max("150000 100000"), 2);
  EXPECT_EQ(cpus_of_cpu_max("1000 100000"), 1);
  EXPECT_EQ(cpus_of_cfs("400000", "100000"), 4);
}

TEST(Cpus, TakesNoQuotaForNone) {
  for (const char* text : {"max 100000", "", "x", "100000", "0 100000", "100000 0"}) {
    EXPECT_EQ(cpus_of_cpu_max(text), std::nullopt) << text;
  }
  EXPECT_EQ(cpus_of_cfs("-1", "100000"), std::nullopt);
}

// A file tree that stands for / of a machine.
class CgroupTree : public testing::Test {
 protected:
  CgroupTree() { root_ = mkdtemp(name_); }
  ~CgroupTree() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  char name_[32] = "/tmp/drover-cgroup-XXXXXX";
  std::string root_;
};

TEST_F(CgroupTree, FindsTheSmallestQuotaOnTheWayUp) {
  write("/proc/self/cgroup", "0::/a.slice/b.service\n");
  write("/sys/fs/cgroup/a.slice/cpu.max", "300000 100000\n");
  write("/sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 3);
}

TEST_F(CgroupTree, FindsTheQuotaOfAContainerAtItsTop) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 1);
}

TEST_F(CgroupTree, ReadsVersionOne) {
  write("/proc/self/cgroup", "5:memory:/m\n4:cpu,cpuacct:/docker/x\n");
  write("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "200000\n");
  write("/sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_cpus(root_), 2);
}

TEST_F(CgroupTree, FindsNothingWhereThereIsNothing) {
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
  write("/proc/self/cgroup", "garbage\n::\n0::/gone\n");
  EXPECT_EQ(cgroup_cpus(root_), std::nullopt);
}

TEST(ResolveWorkers, TakesTheSettingOrTheMachine) {
  Settings settings;
  settings.workers = 3;
  EXPECT_EQ(resolve_workers(settings), 3);
  settings.workers = 0;
  EXPECT_GE(resolve_workers(settings), 1);
  EXPECT_LE(resolve_workers(settings), kMaxSlots);
}

}  // namespace
}  // namespace drover

// What a process is allowed and bound to: user and group, descriptors, CPUs; and the files and
// titles by which an operator finds it.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

// The rest of the line "Name:\t..." in /proc/<pid>/status.
std::string status_field(pid_t pid, const std::string& name) {
  std::istringstream lines(read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + ":\t", 0) == 0) return line.substr(name.size() + 2);
  }
  return "";
}

std::string four_times(unsigned id) {  // real, effective, saved, file system
  const std::string text = std::to_string(id);
  return text + "\t" + text + "\t" + text + "\t" + text;
}

rlim_t nofile_of(pid_t pid) {
  rlimit limit{};
  EXPECT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
  return limit.rlim_cur;
}

TEST(Privileges, AreDroppedByWorkersAndAcceptor) {
  ASSERT_EQ(::geteuid(), 0U) << "only root has privileges to drop: run this test as root";
  Daemon daemon({.config = config("user = nobody\nworkers = 2",
                                  echo_server("acceptor") + "access_log = {dir}/access.log\n")});
  const passwd* nobody = ::getpwnam("nobody");
  std::vector<pid_t> unprivileged{daemon.acceptor_pid()};
  for (const WorkerProcess& worker : daemon.workers()) unprivileged.push_back(worker.pid);

  ASSERT_EQ(unprivileged.size(), 3U);
  for (const pid_t pid : unprivileged) {
    EXPECT_EQ(status_field(pid, "Uid"), four_times(nobody->pw_uid)) << title_of(pid);
    EXPECT_EQ(status_field(pid, "Gid"), four_times(nobody->pw_gid)) << title_of(pid);
    EXPECT_EQ(status_field(pid, "CapEff"), "0000000000000000") << title_of(pid);
    EXPECT_EQ(std::stoul(status_field(pid, "Groups")), nobody->pw_gid) << title_of(pid);
  }
  EXPECT_EQ(status_field(daemon.master_pid(), "Uid"), four_times(0));
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("served"), "served");
}

TEST(Privileges, OfAReplacedWorkerAreDroppedToo) {
  ASSERT_EQ(::geteuid(), 0U) << "only root has privileges to drop: run this test as root";
  Daemon daemon({.config = config("user = nobody\nworkers = 1", echo_server("exclusive"))});
  const pid_t first = daemon.worker_pid(0);

  kill_now(first);

  ASSERT_TRUE(wait_until([&] {
    const pid_t now = daemon.worker_pid(0);
    return now != 0 && now != first;
  }));
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("served"), "served");
  EXPECT_EQ(status_field(daemon.worker_pid(0), "Uid"), four_times(::getpwnam("nobody")->pw_uid));
}

TEST(Privileges, OfAnUnknownUserRefuseTheStart) {
  Daemon daemon(
      {.config = config("user = nobody-at-all", echo_server("exclusive")), .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return daemon.program_status().has_value(); })) << daemon.log();
  EXPECT_EQ(daemon.program_status(), 1);
  EXPECT_TRUE(daemon.log_contains("nobody-at-all")) << daemon.log();
}

TEST(RlimitNofile, IsThatOfEveryProcessAndFollowsAReloadBothWays) {
  const auto with_limit = [](const std::string& limit) {
    return config("workers = 2\nrlimit_nofile = " + limit, echo_server("exclusive"));
  };
  Daemon daemon({.config = with_limit("1000")});
  for (const pid_t pid : daemon.processes()) EXPECT_EQ(nofile_of(pid), 1000U) << title_of(pid);

  ASSERT_EQ(daemon.reload(with_limit("700")).status, 0);
  EXPECT_EQ(nofile_of(daemon.worker_pid(0)), 700U);
  ASSERT_EQ(daemon.reload(with_limit("2000")).status, 0);
  EXPECT_EQ(nofile_of(daemon.worker_pid(0)), 2000U) << daemon.log();
}

// As if each had been the first.
TEST(RlimitNofile, OfAFormerConfigurationIsNotThatOfTheNext) {
  const auto with = [](const std::string& limit) {
    return config("workers = 1\n" + limit, echo_server("exclusive"));
  };
  Daemon daemon({.config = with("")});
  const rlim_t inherited = nofile_of(daemon.worker_pid(0));
  ASSERT_NE(inherited, 700U);

  ASSERT_EQ(daemon.reload(with("rlimit_nofile = 700")).status, 0);
  ASSERT_EQ(nofile_of(daemon.worker_pid(0)), 700U);
  ASSERT_EQ(daemon.reload(with("")).status, 0);
  EXPECT_EQ(nofile_of(daemon.worker_pid(0)), inherited) << "after a reload";

  ASSERT_EQ(daemon.reload(with("rlimit_nofile = 700")).status, 0);
  daemon.rewrite_config(with(""));
  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});
  ASSERT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_EQ(nofile_of(daemon.worker_pid(0)), inherited) << "after an upgrade";
}

// The CPUs a worker may run on.
std::set<int> cpus_of(pid_t pid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(pid, sizeof set, &set), 0);
  std::set<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.insert(cpu);
  }
  return cpus;
}

TEST(CpuAffinity, BindsEachWorkerToOneCpuInTurn) {
  Daemon daemon({.config = config("workers = 3\ncpu_affinity = auto", echo_server("acceptor"))});
  const std::set<int> mine = cpus_of(::getpid());
  const std::vector<int> in_order(mine.begin(), mine.end());

  for (const WorkerProcess& worker : daemon.workers()) {
    const int expected = in_order[static_cast<size_t>(worker.slot) % in_order.size()];
    EXPECT_EQ(cpus_of(worker.pid), std::set<int>{expected}) << worker.slot;
  }
  EXPECT_EQ(cpus_of(daemon.master_pid()), mine);
  EXPECT_EQ(cpus_of(daemon.acceptor_pid()), mine);
}

TEST(CpuAffinity, TakesAList) {
  const int last = *cpus_of(::getpid()).rbegin();
  Daemon daemon({.config = config("workers = 2\ncpu_affinity = " + std::to_string(last),
                                  echo_server("exclusive"))});

  EXPECT_EQ(cpus_of(daemon.worker_pid(0)), std::set<int>{last});
  EXPECT_EQ(cpus_of(daemon.worker_pid(1)), std::set<int>{last});
}

TEST(PidFile, HoldsTheMastersPidAndOneLine) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive"))});

  EXPECT_EQ(read_file(daemon.file("drover.pid")), std::to_string(daemon.master_pid()) + "\n");
}

TEST(Titles, TellMasterAcceptorAndWorkersApart) {
  Daemon daemon({.config = config("workers = 2", echo_server("acceptor"))});
  std::multiset<std::string> titles;

  for (const pid_t pid : daemon.processes()) titles.insert(title_of(pid));

  EXPECT_EQ(titles,
            (std::multiset<std::string>{"drover: master", "drover: acceptor gen 1",
                                        "drover: worker 0 gen 1", "drover: worker 1 gen 1"}));
}

}  // namespace
}  // namespace drover::test

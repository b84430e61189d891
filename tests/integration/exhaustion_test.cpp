// What runs out: descriptors of a process, of the machine, and worker_connections. Under every
// strategy accepting pauses, nothing spins, and whoever waited is served in the end.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <filesystem>
#include <set>

#include "tests/integration/strategies.h"
#include "tests/support/crowd.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

constexpr Millis kWatch{1000};
constexpr std::int64_t kAlmostNothingNs = 150'000'000;  // of CPU in kWatch; a spin takes it all

std::set<int> descriptors_of(pid_t pid) {
  std::set<int> numbers;
  const auto folder = std::filesystem::path("/proc") / std::to_string(pid) / "fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    numbers.insert(std::stoi(entry.path().filename().string()));
  }
  return numbers;
}

// Lowers the limit of a running process so that it can open `spare` more descriptors.
void leave_descriptors(pid_t pid, int spare) {
  const std::set<int> used = descriptors_of(pid);
  rlimit limit{};
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
  int number = 0;
  for (int left = spare; left > 0; ++number) left -= used.count(number) == 0 ? 1 : 0;
  limit.rlim_cur = static_cast<rlim_t>(number);
  ASSERT_EQ(::prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
}

// The CPU time of the busiest of the processes while kWatch passes.
std::int64_t busiest_ns(const std::vector<pid_t>& pids) {
  std::vector<std::int64_t> before;
  for (const pid_t pid : pids) before.push_back(cpu_ns(pid));
  std::this_thread::sleep_for(kWatch);
  std::int64_t most = 0;
  for (size_t i = 0; i < pids.size(); ++i) most = std::max(most, cpu_ns(pids[i]) - before[i]);
  return most;
}

std::vector<pid_t> serving_processes(const Daemon& daemon) {
  std::vector<pid_t> pids;
  for (const WorkerProcess& worker : daemon.workers()) pids.push_back(worker.pid);
  if (daemon.acceptor_pid() != 0) pids.push_back(daemon.acceptor_pid());
  return pids;
}

std::int64_t pauses(Daemon& daemon) { return daemon.status().totals.accept_pauses; }

class Exhaustion : public ::testing::TestWithParam<const char*> {};

// A message of the acceptor brings up to 64 descriptors and is received whole, so a worker needs
// room for one.
TEST_P(Exhaustion, OfDescriptorsPausesAndLosesNobody) {
  constexpr int kSpare = 70;
  Daemon daemon({.config = config("workers = 2", echo_server(GetParam()))});
  for (const WorkerProcess& worker : daemon.workers()) leave_descriptors(worker.pid, kSpare);

  Crowd crowd(Endpoint::v4(daemon.port()), {.count = 250});
  ASSERT_TRUE(daemon.wait_for_log("cannot accept: Too many open files"));
  ASSERT_TRUE(wait_until([&] { return crowd.served() > kSpare; }));

  EXPECT_LT(busiest_ns(serving_processes(daemon)), kAlmostNothingNs);
  EXPECT_GT(pauses(daemon), 0);
  EXPECT_GT(crowd.waiting(), 0U);
  EXPECT_TRUE(crowd.take_turns()) << crowd.waiting() << " wait for ever";
  EXPECT_EQ(crowd.turned_away(), 0U);
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("as before"), "as before");
}

TEST_P(Exhaustion, OfTheMachinesFilesIsWaitedOut) {
  Daemon daemon({.config = config("workers = 2", echo_server(GetParam())),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "enfile:4"}}});

  Crowd crowd(Endpoint::v4(daemon.port()), {.count = 40});

  EXPECT_TRUE(crowd.wait_until_settled());
  EXPECT_EQ(crowd.served(), 40U);
  EXPECT_TRUE(daemon.log_contains("Too many open files in system")) << daemon.log();
}

TEST_P(Exhaustion, OfWorkerConnectionsLeavesTheOthersInTheQueue) {
  Daemon daemon({.config = config("workers = 2\nworker_connections = 5", echo_server(GetParam()))});

  Crowd crowd(Endpoint::v4(daemon.port()), {.count = 30});
  ASSERT_TRUE(wait_until([&] { return crowd.served() == 10; })) << crowd.served();

  EXPECT_LT(busiest_ns(serving_processes(daemon)), kAlmostNothingNs);
  EXPECT_EQ(crowd.served(), 10U);
  EXPECT_EQ(crowd.waiting(), 20U);
  const DaemonStatus full = daemon.status();
  EXPECT_EQ(full.totals.accepted, 10);
  EXPECT_GE(full.totals.accept_pauses, 2);
  EXPECT_TRUE(crowd.take_turns()) << crowd.waiting() << " wait for ever";
  EXPECT_EQ(crowd.turned_away(), 0U);
  EXPECT_EQ(daemon.status().totals.accepted, 30);
}

INSTANTIATE_TEST_SUITE_P(Strategies, Exhaustion, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(ExhaustedAcceptor, PausesAndLosesNobody) {
  Daemon daemon({.config = config("workers = 2", echo_server("acceptor"))});
  const pid_t acceptor = daemon.acceptor_pid();
  // A sanitizer opens descriptors of its own at the first call of each kind.
  ASSERT_EQ(Client(Endpoint::v4(daemon.port())).exchange("warm"), "warm");
  leave_descriptors(acceptor, 0);
  Crowd crowd(Endpoint::v4(daemon.port()), {.count = 60});
  ASSERT_TRUE(daemon.wait_for_log("Too many open files"));

  EXPECT_LT(busiest_ns({acceptor}), kAlmostNothingNs);
  EXPECT_EQ(crowd.served(), 0U);
  leave_descriptors(acceptor, 20);
  EXPECT_TRUE(crowd.wait_until_settled());
  EXPECT_EQ(crowd.served(), 60U);
}

// 160 descriptors of which some are the worker's own: `most` is what the warning says it uses.
TEST(WorkerConnections, AreReducedToTheDescriptorsThereAreWithOneWarning) {
  const std::string settings = "workers = 2\nworker_connections = 10000";
  Daemon daemon({.config = config(settings, echo_server("exclusive")),
                 .wrapper = {"prlimit", "--nofile=160:20000"}});
  const std::string log = daemon.log();
  const std::string warning = "worker_connections = 10000 is more than the 160 descriptors";
  const size_t at = log.find(warning);
  ASSERT_NE(at, std::string::npos) << log;
  EXPECT_EQ(log.find(warning, at + 1), std::string::npos) << log;
  const size_t most = std::stoul(log.substr(log.find("using ", at) + 6));

  Crowd crowd(Endpoint::v4(daemon.port()), {.count = 400});

  EXPECT_TRUE(wait_until([&] { return crowd.served() == 2 * most; })) << crowd.served();
  EXPECT_TRUE(crowd.take_turns()) << crowd.waiting() << " wait for ever";
  EXPECT_EQ(crowd.turned_away(), 0U);
  EXPECT_FALSE(daemon.log_contains("cannot accept")) << "descriptors ran out all the same";
}

TEST(ExhaustionOfTheMaster, WhoAsksIsAnsweredLaterAndTheLoopRestsMeanwhile) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive"))});
  const pid_t master = daemon.master_pid();
  rlimit before{};
  ASSERT_EQ(::prlimit(master, RLIMIT_NOFILE, nullptr, &before), 0);
  leave_descriptors(master, 0);
  Client asker(Endpoint::unix_path(daemon.file("control.sock")));
  asker.send_all("status\n");
  ASSERT_TRUE(daemon.wait_for_log("control socket: Too many open files"));

  EXPECT_LT(busiest_ns({master}), kAlmostNothingNs);

  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("hello"), "hello");
  ASSERT_EQ(::prlimit(master, RLIMIT_NOFILE, &before, nullptr), 0);
  EXPECT_NE(asker.receive_some(), "");
}

}  // namespace
}  // namespace drover::test

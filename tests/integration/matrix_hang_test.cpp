// Processes that stop without dying: new connections are steered around them, they are replaced
// after hang_timeout, and nobody is killed for a pause of the whole machine or for a debugger.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "tests/integration/strategies.h"
#include "tests/support/failure.h"

namespace drover::test {
namespace {

constexpr Millis kLongestWait{2000 + 500};  // promised, and slack for a busy machine
constexpr Millis kHangTimeout{3000};
constexpr Millis kBeyondSteering{1800};
const std::string kQuick = "hang_timeout = 3s\n";

void pause_for(Millis time) {
  const auto end = Clock::now() + time;
  std::this_thread::sleep_until(end);
}

// New connections from now on: a burst, then steady.
LoadOptions arrivals(Daemon& daemon) {
  return {.targets = {Endpoint::v4(daemon.port())},
          .concurrency = 60,
          .connections_per_second = 600,
          .max_message = 1024,
          .seed = 2};
}

bool is_replaced(Daemon& daemon, int slot, pid_t former) {
  return daemon.wait_for_status([&](const DaemonStatus& now) {
    const WorkerStatus& worker = now.serving()->workers.at(static_cast<size_t>(slot));
    return worker.pid != former && worker.state == "ready" && worker.live > 0;
  });
}

class HangMatrix : public ::testing::TestWithParam<const char*> {
 protected:
  Daemon daemon_{{.config = config(kQuick + "workers = 4", echo_server(GetParam()))}};
};

TEST_P(HangMatrix, AStoppedWorkerIsSteeredAroundAndReplaced) {
  LoadGenerator load(moderate_load(daemon_));
  ASSERT_TRUE(load.wait_for_completed(100));
  const pid_t victim = daemon_.worker_pid(2);
  stop(victim);
  const std::set<std::string> owned = clients_of(victim, daemon_.port());

  LoadGenerator late(arrivals(daemon_));
  EXPECT_TRUE(daemon_.wait_for_log("worker 2 gen 1 hung: pid=" + std::to_string(victim)));
  EXPECT_TRUE(is_replaced(daemon_, 2, victim));

  const LoadStats stats = late.stop();
  load.stop();
  std::cout << GetParam() << ": owned=" << owned.size() << " arrived=" << stats.completed
            << " longest wait=" << stats.max_first_byte.count() << " ms\n";
  EXPECT_GT(stats.completed, 200);
  EXPECT_LT(stats.max_first_byte, kLongestWait);
  EXPECT_EQ(text_of(late.failures()), "");
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  EXPECT_FALSE(is_alive(victim));
}

TEST_P(HangMatrix, AWorkerThatGoesOnInTimeKeepsItsConnections) {
  LoadGenerator load(moderate_load(daemon_));
  ASSERT_TRUE(load.wait_for_completed(100));
  Client client(Endpoint::v4(daemon_.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");
  const pid_t victim = owner_pid_of(client.name(), daemon_.port(), worker_pids(daemon_));

  stop(victim);
  pause_for(kBeyondSteering);
  resume(victim);

  EXPECT_EQ(client.exchange("still served"), "still served");
  EXPECT_TRUE(load.wait_for_completed(200));
  load.stop();
  EXPECT_EQ(text_of(load.failures()), "");
  EXPECT_TRUE(is_alive(victim));
  EXPECT_FALSE(daemon_.log_contains("hung"));
  EXPECT_TRUE(daemon_.wait_for_status([&](const DaemonStatus& now) {
    const auto& workers = now.serving()->workers;
    return std::all_of(workers.begin(), workers.end(),
                       [](const WorkerStatus& each) { return each.restarts == 0; });
  }));
}

INSTANTIATE_TEST_SUITE_P(All, HangMatrix, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(StoppedAcceptor, IsFollowedByASecondOneAndKilled) {
  Daemon daemon({.config = config(kQuick + "workers = 3", echo_server("acceptor"))});
  LoadGenerator load(moderate_load(daemon));
  ASSERT_TRUE(load.wait_for_completed(100));
  const pid_t victim = daemon.acceptor_pid();
  stop(victim);
  const std::set<std::string> owned = clients_of(victim, daemon.port());

  LoadGenerator late(arrivals(daemon));
  EXPECT_TRUE(daemon.wait_for_log("acceptor silent: pid=" + std::to_string(victim)));
  EXPECT_TRUE(daemon.wait_for_log("acceptor gen 1 hung: pid=" + std::to_string(victim)));
  EXPECT_TRUE(wait_until([&] { return !is_alive(victim); }));
  EXPECT_TRUE(late.wait_for_completed(100));

  const LoadStats stats = late.stop();
  load.stop();
  std::cout << "longest wait=" << stats.max_first_byte.count() << " ms\n";
  EXPECT_LT(stats.max_first_byte, kLongestWait);
  EXPECT_EQ(text_of(late.failures()), "");
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  EXPECT_NE(daemon.acceptor_pid(), 0);
}

TEST(StoppedAcceptor, ThatGoesOnInTimeLosesNothing) {
  Daemon daemon({.config = config(kQuick + "workers = 3", echo_server("acceptor"))});
  LoadGenerator load(moderate_load(daemon));
  ASSERT_TRUE(load.wait_for_completed(100));
  const pid_t victim = daemon.acceptor_pid();

  stop(victim);
  ASSERT_TRUE(daemon.wait_for_log("acceptor silent: pid=" + std::to_string(victim)));
  resume(victim);

  EXPECT_TRUE(wait_until([&] { return !is_alive(victim); }));  // it passes on what it has, leaves
  EXPECT_TRUE(load.wait_for_completed(200));
  load.stop();
  EXPECT_EQ(text_of(load.failures()), "");
  EXPECT_FALSE(daemon.log_contains("hung"));
}

// More than a turn's budget waits in the queue of the stopped worker, or in its pair.
class StrandedBurst : public ::testing::TestWithParam<const char*> {};

TEST_P(StrandedBurst, IsTakenWithinTwoSeconds) {
  Daemon daemon({.config = config("workers = 2", echo_server(GetParam()))});
  stop(daemon.worker_pid(0));
  LoadGenerator burst({.targets = {Endpoint::v4(daemon.port())},
                       .concurrency = 600,
                       .connections_per_second = 6000,
                       .max_messages = 1,
                       .max_message = 64});

  EXPECT_TRUE(wait_until([&] { return burst.open() >= 600; }));
  const int stuck = burst.open();
  EXPECT_TRUE(burst.wait_for_completed(1000));

  const LoadStats stats = burst.stop();
  std::cout << GetParam() << ": stuck=" << stuck << " longest wait=" << stats.max_first_byte.count()
            << " ms\n";
  EXPECT_LT(stats.max_first_byte, kLongestWait);
  EXPECT_EQ(text_of(burst.failures()), "");
}

INSTANTIATE_TEST_SUITE_P(All, StrandedBurst,
                         ::testing::Values("reuseport", "acceptor balance=round-robin"),
                         [](const auto& row) {
                           const std::string words = row.param;
                           return words.substr(0, words.find(' '));
                         });

enum class First { kChildren, kMaster };
struct PauseRow {
  const char* name;
  const char* strategy;
  const char* hang_timeout;
  Millis length;
  First first;
};

class MachinePause : public ::testing::TestWithParam<PauseRow> {};

TEST_P(MachinePause, KillsNobody) {
  const PauseRow& row = GetParam();
  Daemon daemon({.config = config("workers = 4\nhang_timeout = " + std::string(row.hang_timeout),
                                  echo_server(row.strategy))});
  LoadOptions options = moderate_load(daemon);
  options.timeout = Millis{30'000};
  LoadGenerator load(options);
  ASSERT_TRUE(load.wait_for_completed(100));
  std::vector<pid_t> all = daemon.processes();
  const std::vector<pid_t> before = all;
  const pid_t master = daemon.master_pid();
  std::erase(all, master);
  if (row.first == First::kMaster) all.insert(all.begin(), master);
  if (row.first == First::kChildren) all.push_back(master);

  for (const pid_t pid : all) stop(pid);
  pause_for(row.length);
  for (const pid_t pid : all) {
    resume(pid);
    if (pid == all.front() || pid == all[all.size() - 2]) pause_for(Millis{200});
  }

  EXPECT_TRUE(load.wait_for_completed(300));
  load.stop();
  EXPECT_EQ(text_of(load.failures()), "");
  EXPECT_FALSE(daemon.log_contains("hung"));
  EXPECT_FALSE(daemon.log_contains("ended"));
  EXPECT_EQ(daemon.processes(), before);
}

INSTANTIATE_TEST_SUITE_P(
    All, MachinePause,
    ::testing::Values(PauseRow{"ChildrenFirst", "exclusive", "3s", Millis{5000}, First::kChildren},
                      PauseRow{"MasterFirst", "mutex", "3s", Millis{5000}, First::kMaster},
                      PauseRow{"OfFifteenSecondsAtTheDefault", "reuseport", "10s", Millis{15'000},
                               First::kChildren}),
    [](const auto& row) { return std::string(row.param.name); });

// A debugger holds the process: attached and stopped as long as this lives.
class Traced {
 public:
  explicit Traced(pid_t pid) : pid_(pid) {
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0) fail_errno("PTRACE_SEIZE");
    if (::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) fail_errno("PTRACE_INTERRUPT");
    if (::waitpid(pid, nullptr, __WALL) != pid) fail_errno("waitpid");
  }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;
  // One that was killed all the same waits for its tracer to notice.
  ~Traced() {
    if (::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr) != 0) {
      ::waitpid(pid_, nullptr, __WALL | WNOHANG);
    }
  }

 private:
  pid_t pid_;
};

TEST(TracedWorker, IsSteeredAroundAndNeverKilled) {
  Daemon daemon({.config = config(kQuick + "workers = 3", echo_server("reuseport"))});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");
  const pid_t traced = owner_pid_of(client.name(), daemon.port(), worker_pids(daemon));
  {
    const Traced held(traced);
    LoadGenerator late(arrivals(daemon));
    pause_for(kHangTimeout * 2);
    const LoadStats stats = late.stop();
    EXPECT_GT(stats.completed, 200);
    EXPECT_LT(stats.max_first_byte, kLongestWait);
    EXPECT_EQ(text_of(late.failures()), "");
  }

  EXPECT_EQ(client.exchange("still served"), "still served");
  EXPECT_TRUE(is_alive(traced));
  EXPECT_FALSE(daemon.log_contains("hung"));
}

}  // namespace
}  // namespace drover::test

// How accepts are spread over workers, as -s status counts them.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

constexpr int kConnections = 200;

std::vector<std::int64_t> accepted_by_slot(Daemon& daemon) {
  std::vector<std::int64_t> accepted;
  const DaemonStatus now = daemon.status();
  for (const WorkerStatus& worker : now.serving()->workers) {
    accepted.push_back(worker.counters.accepted);
  }
  return accepted;
}

std::int64_t sum_of(const std::vector<std::int64_t>& values) {
  std::int64_t sum = 0;
  for (const std::int64_t value : values) sum += value;
  return sum;
}

// Asleep: a worker that has work, but on a busy machine no CPU, would miss its turns.
bool are_idle(const std::vector<pid_t>& pids) {
  return std::all_of(pids.begin(), pids.end(), [](pid_t pid) { return state_of(pid) == 'S'; });
}

class EvenDistribution : public ::testing::TestWithParam<const char*> {};

TEST_P(EvenDistribution, OfSequentialConnectionsOnIdleWorkers) {
  Daemon daemon({.config = config("workers = 4", echo_server(GetParam()))});

  const std::vector<pid_t> processes = daemon.processes();
  for (int i = 0; i < kConnections; ++i) {
    ASSERT_TRUE(wait_until([&] { return are_idle(processes); }));
    ASSERT_EQ(answer(daemon), "hello");
  }

  const std::vector<std::int64_t> accepted = accepted_by_slot(daemon);
  std::cout << GetParam() << ":";
  for (const std::int64_t count : accepted) std::cout << " " << count;
  std::cout << "\n";
  const auto [least, most] = std::minmax_element(accepted.begin(), accepted.end());
  EXPECT_EQ(sum_of(accepted), kConnections);
  EXPECT_LE(*most * 2, *least * 3) << "max/min above 1.5";
  EXPECT_LE(daemon.status().balance, 1.5);
}

INSTANTIATE_TEST_SUITE_P(All, EvenDistribution, ::testing::Values("exclusive", "mutex", "acceptor"),
                         strategy_name);

// All idle workers wake for one connection; those that look when another has taken it were woken in
// vain.
TEST(SharedHerd, IsVisibleAsEmptyWakeUps) {
  Daemon daemon({.config = config("workers = 4", echo_server("shared"))});
  LoadGenerator load({.targets = {Endpoint::v4(daemon.port())},
                      .concurrency = 100,
                      .connections_per_second = 2000,
                      .max_messages = 1,
                      .max_message = 64});

  EXPECT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.totals.empty_wakeups > 0; }));

  load.stop();
  EXPECT_EQ(text_of(load.failures()), "");
  std::cout << "empty wake-ups: " << daemon.status().totals.empty_wakeups << "\n";
}

}  // namespace
}  // namespace drover::test

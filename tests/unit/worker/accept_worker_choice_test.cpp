#include "worker/accept/worker_choice.h"

#include <gtest/gtest.h>

#include <vector>

namespace drover {
namespace {

constexpr auto kLeast = AcceptorBalance::kLeastLoaded;
constexpr auto kRound = AcceptorBalance::kRoundRobin;

WorkerLoad with(std::uint32_t live, std::uint64_t last_sent) {
  return {true, live, 1000, last_sent};
}

TEST(WorkerChoice, TakesTheLeastLoaded) {
  EXPECT_EQ(choose_worker(kLeast, std::vector{with(50, 1), with(3, 9), with(40, 2)}), 1);
}

TEST(WorkerChoice, LetsSmallDifferencesOfLoadNotDecide) {
  EXPECT_EQ(choose_worker(kLeast, std::vector{with(0, 7), with(4, 5), with(5, 1)}), 1);
  EXPECT_EQ(choose_worker(kLeast, std::vector{with(320, 7), with(340, 5), with(341, 1)}), 1);
}

TEST(WorkerChoice, AmongEqualsTakesTheOneThatWaitedLongest) {
  EXPECT_EQ(choose_worker(kLeast, std::vector{with(2, 7), with(2, 5), with(2, 6)}), 1);
}

TEST(WorkerChoice, RoundRobinLooksAtTheOrderOnly) {
  EXPECT_EQ(choose_worker(kRound, std::vector{with(0, 7), with(9, 5), with(2, 6)}), 1);
}

TEST(WorkerChoice, SkipsTheFullAndTheUnusable) {
  WorkerLoad steered = with(0, 0);
  steered.usable = false;
  for (const AcceptorBalance balance : {kLeast, kRound}) {
    EXPECT_EQ(choose_worker(balance, std::vector{steered, with(1000, 0), with(9, 3)}), 2);
  }
}

TEST(WorkerChoice, TakesNobodyWhenAllAreFullOrNotStarted) {
  WorkerLoad starting = with(0, 0);
  starting.capacity = 0;
  EXPECT_EQ(choose_worker(kLeast, std::vector{with(1000, 0), starting}), -1);
  EXPECT_EQ(choose_worker(kRound, {}), -1);
}

TEST(WorkerChoice, SpreadsShortConnectionsEvenlyAfterOneWorkerWasAway) {
  std::vector<WorkerLoad> loads{with(0, 1000), with(0, 1001), with(0, 1)};
  std::vector<int> given(3);
  for (std::uint64_t now = 1002; now < 1302; ++now) {
    const auto slot = static_cast<std::size_t>(choose_worker(kLeast, loads));
    loads[slot].last_sent = now;
    ++given[slot];
  }
  EXPECT_EQ(given, (std::vector{100, 100, 100}));
}

}  // namespace
}  // namespace drover

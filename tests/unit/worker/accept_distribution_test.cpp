// Who gets the connections: four workers, each in its own process, and clients that come one after
// the other.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/worker/accept_world.h"

namespace drover::test {
namespace {

std::vector<int> serve_one_by_one(std::uint16_t port, int clients, int slots) {
  std::vector<int> served(static_cast<std::size_t>(slots));
  for (int i = 0; i < clients; ++i) {
    const int slot = ask(port);
    if (slot >= 0) ++served.at(static_cast<std::size_t>(slot));
  }
  return served;
}

int sum(const std::vector<int>& counts) {
  int total = 0;
  for (const int count : counts) total += count;
  return total;
}

class EvenStrategies : public testing::TestWithParam<AcceptStrategy> {};

// Max to min. A worker that the scheduler of a busy machine keeps from running cannot take its
// share, so one even round in ten is enough; a strategy that favours somebody has none.
double imbalance(const std::vector<int>& served) {
  const auto [least, most] = std::ranges::minmax(served);
  return least == 0 ? 1e9 : static_cast<double>(most) / least;
}

TEST_P(EvenStrategies, SpreadSequentialConnectionsEvenly) {
  AcceptWorld world(GetParam(), 4);
  const std::uint16_t port = world.add_listener();
  const Herd herd(world);

  std::vector<int> served;
  for (int round = 0; round < 10; ++round) {
    served = serve_one_by_one(port, 200, 4);
    ASSERT_EQ(sum(served), 200);
    if (imbalance(served) <= 1.5) break;
  }

  EXPECT_LE(imbalance(served), 1.5) << testing::PrintToString(served);
}

INSTANTIATE_TEST_SUITE_P(Accept, EvenStrategies,
                         testing::Values(AcceptStrategy::kExclusive, AcceptStrategy::kMutex),
                         [](const auto& row) {
                           return row.param == AcceptStrategy::kMutex ? "mutex" : "exclusive";
                         });

class QueueStrategies : public testing::TestWithParam<AcceptStrategy> {};

// The frozen one may hold the wake-up or the lease; a client waits for at most the lease and two
// heartbeats.
TEST_P(QueueStrategies, ServeEveryClientWhileOneWorkerIsFrozen) {
  AcceptWorld world(GetParam(), 4);
  const std::uint16_t port = world.add_listener();
  Herd herd(world);
  const int frozen = ask(port);
  ASSERT_GE(frozen, 0);
  herd.stop(frozen);
  world.board().set_steered_around(frozen, true);

  const std::vector<int> served = serve_one_by_one(port, 40, 4);

  EXPECT_EQ(sum(served), 40);
  EXPECT_EQ(served.at(static_cast<std::size_t>(frozen)), 0);
}

INSTANTIATE_TEST_SUITE_P(Accept, QueueStrategies,
                         testing::Values(AcceptStrategy::kShared, AcceptStrategy::kExclusive,
                                         AcceptStrategy::kMutex),
                         [](const auto& row) {
                           return "strategy" + std::to_string(int(row.param));
                         });

TEST(MutexStrategy, TakesTheLeaseOverWhenItsHolderStops) {
  AcceptWorld world(AcceptStrategy::kMutex, 2);
  const std::uint16_t port = world.add_listener();
  Herd herd(world);
  const int holder = ask(port);
  ASSERT_GE(holder, 0);
  herd.stop(holder);  // and nobody is told

  const Millis before = monotonic_now();
  const int other = ask(port);

  EXPECT_EQ(other, 1 - holder);
  EXPECT_LT(monotonic_now() - before, Millis{2000});
}

}  // namespace
}  // namespace drover::test

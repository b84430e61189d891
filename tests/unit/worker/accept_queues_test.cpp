// What holds for every strategy: whose queue is whose, and that pausing, steering and closing lose
// nothing. Members of a group listen on ports of their own here, so that the test chooses the
// queue.
#include <gtest/gtest.h>

#include "tests/unit/worker/accept_world.h"

namespace drover::test {
namespace {

std::string name_of(AcceptStrategy strategy) {
  switch (strategy) {
    case AcceptStrategy::kShared:
      return "shared";
    case AcceptStrategy::kExclusive:
      return "exclusive";
    case AcceptStrategy::kMutex:
      return "mutex";
    case AcceptStrategy::kAcceptor:
      return "acceptor";
    case AcceptStrategy::kReuseport:
      return "reuseport";
  }
  return "unknown";
}

const auto kRowName = [](const testing::TestParamInfo<AcceptStrategy>& row) {
  return name_of(row.param);
};

class EveryStrategy : public testing::TestWithParam<AcceptStrategy> {};

TEST_P(EveryStrategy, PollsSurplusMembersBySlotModuloSlots) {
  AcceptWorld world(GetParam(), 2);
  world.add_listener(0, 2);
  world.add_listener(1, 2);
  const UniqueFd client = connect_to(world.add_listener(3, 2));
  FakeWorker first(world, 0);
  FakeWorker second(world, 1);
  for (FakeWorker* worker : {&first, &second}) worker->strategy().resume();

  first.turn();
  second.turn();

  EXPECT_EQ(first.held(), 0U);
  ASSERT_EQ(second.held(), 1U);
  EXPECT_EQ(second.connections[0].listener->id, 102U);
}

TEST_P(EveryStrategy, TakesTheSurplusQueueOfASlotThatIsSteeredAround) {
  AcceptWorld world(GetParam(), 2);
  const UniqueFd client = connect_to(world.add_listener(3, 2));
  FakeWorker first(world, 0);
  first.strategy().resume();

  first.strategy().take_stranded();
  EXPECT_EQ(first.held(), 0U);
  world.board().set_steered_around(1, true);
  first.strategy().take_stranded();

  EXPECT_EQ(first.held(), 1U);
  EXPECT_EQ(first.counters().steered, 1U);
}

TEST_P(EveryStrategy, EmptiesListedQueuesBeforeTheyAreClosed) {
  AcceptWorld world(GetParam(), 2);
  const std::uint16_t removed = world.add_listener();
  const std::uint16_t kept = world.add_listener();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(connect_to(removed));
  clients.push_back(connect_to(kept));
  FakeWorker worker(world, 1);

  worker.strategy().pause();
  worker.strategy().drain({100});

  EXPECT_TRUE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 30U);
  for (const Accepted& connection : worker.connections) EXPECT_EQ(connection.listener->id, 100U);
}

TEST_P(EveryStrategy, EmptiesAQueueThatIsToBeClosedAsRoomComes) {
  AcceptWorld world(GetParam(), 1);
  world.seat(0).capacity = 2;
  const std::uint16_t removed = world.add_listener();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connect_to(removed));
  FakeWorker worker(world, 0);
  world.close_listeners();

  worker.strategy().drain({100});
  EXPECT_FALSE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 2U);
  EXPECT_FALSE(worker.strategy().finish());
  worker.forget();

  EXPECT_TRUE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 1U);
  EXPECT_EQ(try_connect(removed), ECONNREFUSED);
}

TEST_P(EveryStrategy, ClosesOneListenerAndKeepsTheOthers) {
  AcceptWorld world(GetParam(), 1);
  const std::uint16_t closed = world.add_listener(1, 1);
  const std::uint16_t open = world.add_listener(2, 1);
  FakeWorker worker(world, 0);
  worker.strategy().resume();
  world.close_listeners();

  worker.strategy().close_listener(100);
  worker.strategy().close_listener(4711);  // unknown: nothing happens
  EXPECT_TRUE(worker.strategy().finish());
  const UniqueFd client = connect_to(open);
  worker.turn();

  EXPECT_EQ(worker.held(), 1U);
  EXPECT_EQ(try_connect(closed), ECONNREFUSED);
}

// Without room nothing that is to be emptied would ever be.
TEST_P(EveryStrategy, ClosesAllListenersOfAServerThatIsOutOfServiceWhoeverWaits) {
  AcceptWorld world(GetParam(), 1);
  world.seat(0).capacity = 0;
  const std::uint16_t open = world.add_listener();
  const std::uint16_t closing = world.add_listener(1, 1);
  const UniqueFd first = connect_to(open);
  const UniqueFd second = connect_to(closing);
  FakeWorker worker(world, 0);
  worker.strategy().resume();
  world.close_listeners();
  worker.strategy().close_listener(101);
  ASSERT_FALSE(worker.strategy().finish());

  worker.strategy().close_listeners();

  EXPECT_TRUE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 0U);
  for (const std::uint16_t port : {open, closing}) EXPECT_EQ(try_connect(port), ECONNREFUSED);
}

INSTANTIATE_TEST_SUITE_P(Accept, EveryStrategy,
                         testing::Values(AcceptStrategy::kShared, AcceptStrategy::kExclusive,
                                         AcceptStrategy::kMutex, AcceptStrategy::kAcceptor,
                                         AcceptStrategy::kReuseport),
                         kRowName);

// Those whose workers accept by themselves.
class PollingStrategy : public testing::TestWithParam<AcceptStrategy> {};

TEST_P(PollingStrategy, LeavesConnectionsInTheQueueWhilePaused) {
  AcceptWorld world(GetParam(), 1);
  const std::uint16_t port = world.add_listener();
  FakeWorker worker(world, 0);
  worker.turn();
  const UniqueFd before = connect_to(port);
  worker.turn();
  EXPECT_EQ(worker.held(), 0U);  // not started

  worker.strategy().resume();
  worker.turn();
  EXPECT_EQ(worker.held(), 1U);
  worker.strategy().pause();
  worker.strategy().pause();
  const UniqueFd paused = connect_to(port);
  worker.turn();
  EXPECT_EQ(worker.held(), 1U);

  worker.strategy().resume();
  worker.strategy().resume();
  worker.turn();
  EXPECT_EQ(worker.held(), 2U);
}

TEST_P(PollingStrategy, LosesNoConnectionWhenTheHostIsFullInTheMiddleOfATurn) {
  AcceptWorld world(GetParam(), 1);
  world.seat(0).capacity = 3;
  const std::uint16_t port = world.add_listener();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 10; ++i) clients.push_back(connect_to(port));
  FakeWorker worker(world, 0);

  std::size_t served = 0;
  for (int round = 0; round < 4; ++round) {
    worker.strategy().resume();
    worker.turn();
    EXPECT_LE(worker.held(), 3U);
    served += worker.held();
    worker.forget();
  }

  EXPECT_EQ(served, 10U);
}

INSTANTIATE_TEST_SUITE_P(Accept, PollingStrategy,
                         testing::Values(AcceptStrategy::kShared, AcceptStrategy::kExclusive,
                                         AcceptStrategy::kMutex, AcceptStrategy::kReuseport),
                         kRowName);

TEST(ReuseportStrategy, WaitsAtTheMemberOfItsSlotOnly) {
  AcceptWorld world(AcceptStrategy::kReuseport, 2);
  const UniqueFd first_client = connect_to(world.add_listener(0, 2));
  const UniqueFd second_client = connect_to(world.add_listener(1, 2));
  FakeWorker worker(world, 1);
  worker.strategy().resume();

  worker.turn();

  ASSERT_EQ(worker.held(), 1U);
  EXPECT_EQ(worker.connections[0].listener->member, 1);
}

TEST(ReuseportStrategy, TakesFromSlotsThatAreSteeredAround) {
  AcceptWorld world(AcceptStrategy::kReuseport, 2);
  const UniqueFd client = connect_to(world.add_listener(0, 2));
  FakeWorker worker(world, 1);
  worker.strategy().resume();

  worker.strategy().take_stranded();
  EXPECT_EQ(worker.held(), 0U);
  world.board().set_steered_around(0, true);
  worker.strategy().take_stranded();

  EXPECT_EQ(worker.held(), 1U);
  EXPECT_EQ(worker.counters().steered, 1U);
}

// Lets another worker take its turn after a loop was told what is ready and before it looks there.
class Interloper {
 public:
  Interloper(event_base* base, FakeWorker& other) : other_(other) {
    event_.start(base, fd_.get(), EV_READ, this);
  }
  void be_first() { eventfd_write(fd_.get(), 1); }

 private:
  void on_readable() {
    event_.stop();
    other_.turn();
  }

  FakeWorker& other_;
  UniqueFd fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Event<&Interloper::on_readable> event_;
};

TEST(SharedStrategy, CountsAWakeUpForAConnectionThatAnotherTook) {
  AcceptWorld world(AcceptStrategy::kShared, 2);
  const std::uint16_t port = world.add_listener();
  FakeWorker slow(world, 0);
  FakeWorker fast(world, 1);
  Interloper interloper(slow.base(), fast);
  slow.strategy().resume();
  fast.strategy().resume();

  interloper.be_first();
  const UniqueFd client = connect_to(port);
  slow.turn();

  EXPECT_EQ(fast.held(), 1U);
  EXPECT_EQ(slow.held(), 0U);
  EXPECT_EQ(slow.counters().empty_wakeups, 1U);
  EXPECT_EQ(fast.counters().empty_wakeups, 0U);
}

TEST(SharedStrategy, TakesAtMostItsBudgetInOneTurn) {
  AcceptWorld world(AcceptStrategy::kShared, 1);
  const std::uint16_t port = world.add_listener();
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(connect_to(port));
  FakeWorker worker(world, 0);
  worker.strategy().resume();

  event_base_loop(worker.base(), EVLOOP_NONBLOCK | EVLOOP_ONCE);
  EXPECT_EQ(worker.held(), 16U);
}

}  // namespace
}  // namespace drover::test

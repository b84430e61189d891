// The worker's side of accept = acceptor: what becomes of batches in the pairs.
#include <gtest/gtest.h>

#include "tests/unit/worker/accept_world.h"
#include "worker/accept/passing.h"

namespace drover::test {
namespace {

class AcceptorStrategyTest : public testing::Test {
 protected:
  // Passes `count` new connections to a slot, in one message.
  void pass(int slot, std::size_t count, std::uint32_t listener_id = 100) {
    std::vector<Passed> batch;
    for (std::size_t i = 0; i < count; ++i) batch.push_back({accept_new(), listener_id});
    ASSERT_EQ(send_batch(world_.send_end(slot), batch), 0);
  }

  AcceptWorld world_{AcceptStrategy::kAcceptor, 2};
  std::vector<UniqueFd> clients_;

 private:
  UniqueFd accept_new() {
    clients_.push_back(connect_to(port_of(listening_.get())));
    return UniqueFd(accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }

  UniqueFd listening_ = listen_on_loopback();
  const std::uint16_t member_ = world_.add_listener();
};

TEST_F(AcceptorStrategyTest, ServesWhatIsPassedToItsSlot) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(0, 3);
  pass(1, 1);

  worker.turn();

  ASSERT_EQ(worker.held(), 3U);
  EXPECT_EQ(worker.counters().accepted, 3U);
  EXPECT_EQ(worker.counters().steered, 0U);
  const auto* peer = reinterpret_cast<const sockaddr_in*>(&worker.connections[0].peer);
  EXPECT_EQ(ntohs(peer->sin_port), port_of(clients_[0].get()));
}

TEST_F(AcceptorStrategyTest, ServesListenersOfTheOtherServersToo) {
  world_.settings().servers.resize(2);
  world_.settings().servers[1].accept = AcceptStrategy::kAcceptor;
  world_.add_listener(0, 1, 0, 1);
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(0, 1, 101);

  worker.turn();

  ASSERT_EQ(worker.held(), 1U);
  EXPECT_EQ(worker.connections[0].listener->server, 1);
}

TEST_F(AcceptorStrategyTest, ClosesConnectionsOfUnknownListeners) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(0, 1, 4711);
  pass(0, 1);

  worker.turn();
  worker.turn();

  EXPECT_EQ(worker.held(), 1U);
  char byte = 0;
  EXPECT_EQ(read(clients_[0].get(), &byte, 1), 0);
  EXPECT_NE(world_.logged().find("unknown listener: id=4711"), std::string::npos);
}

// The acceptor had accepted it before the server was closed, the worker was born after.
TEST_F(AcceptorStrategyTest, ClosesConnectionsOfAServerThatIsOutOfServiceWithoutAWord) {
  world_.closed_servers = {1};
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(0, 2, 4711);
  pass(0, 1);

  worker.turn();
  worker.turn();

  EXPECT_EQ(worker.held(), 1U);
  char byte = 0;
  for (const int client : {0, 1})
    EXPECT_EQ(read(clients_[static_cast<std::size_t>(client)].get(), &byte, 1), 0);
  EXPECT_EQ(world_.logged(), "");
  EXPECT_EQ(worker.counters().accepted, 3U);
  EXPECT_EQ(worker.counters().closed, 2U);
}

TEST_F(AcceptorStrategyTest, LeavesABatchInThePairUntilThereIsRoomForAllOfIt) {
  world_.seat(0).capacity = 3;
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(0, 2);
  pass(0, 2);

  worker.turn();
  worker.turn();
  EXPECT_EQ(worker.held(), 2U);
  worker.forget();
  worker.strategy().on_heartbeat(monotonic_now());
  worker.turn();

  EXPECT_EQ(worker.held(), 2U);
  EXPECT_EQ(worker.counters().accepted, 4U);
}

TEST_F(AcceptorStrategyTest, ReadsNothingWhilePaused) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  worker.strategy().pause();
  pass(0, 1);

  worker.turn();
  worker.strategy().on_heartbeat(monotonic_now());
  worker.turn();
  EXPECT_EQ(worker.held(), 0U);

  worker.strategy().resume();
  worker.turn();
  EXPECT_EQ(worker.held(), 1U);
}

TEST_F(AcceptorStrategyTest, ReadsThePairOfASlotThatIsSteeredAround) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(1, 2);

  worker.strategy().on_doorbell();
  EXPECT_EQ(worker.held(), 0U);
  world_.board().set_steered_around(1, true);
  worker.strategy().on_doorbell();

  EXPECT_EQ(worker.held(), 2U);
  EXPECT_EQ(worker.counters().steered, 2U);
}

// Other servers may have filled it since the acceptor chose it.
TEST_F(AcceptorStrategyTest, ReadsThePairOfANeighbourThatIsFull) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(1, 2);

  worker.strategy().on_heartbeat(monotonic_now());
  EXPECT_EQ(worker.held(), 0U);
  world_.seat(1).live = 1000;
  worker.strategy().on_heartbeat(monotonic_now());

  EXPECT_EQ(worker.held(), 2U);
  EXPECT_EQ(worker.counters().steered, 2U);
}

TEST_F(AcceptorStrategyTest, ReadsABatchForWhichItsWorkerHasNotTheRoom) {
  FakeWorker worker(world_, 0);
  worker.strategy().resume();
  pass(1, 2);
  pass(1, 1);

  world_.seat(1).live = 999;
  worker.strategy().on_heartbeat(monotonic_now());
  EXPECT_EQ(worker.held(), 2U);
  worker.strategy().on_doorbell();  // its own ring

  EXPECT_EQ(worker.held(), 2U) << "there is room for the other batch";
}

TEST_F(AcceptorStrategyTest, ReadsAllPairsToTheEndWhenItDrains) {
  FakeWorker worker(world_, 0);
  for (int i = 0; i < 5; ++i) {
    pass(0, 2);
    pass(1, 2);
  }

  worker.strategy().drain({});

  EXPECT_TRUE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 20U);
}

TEST_F(AcceptorStrategyTest, ReadsTheRestAsRoomComesAfterItHasClosed) {
  world_.seat(0).capacity = 2;
  FakeWorker worker(world_, 0);
  pass(0, 2);
  pass(1, 2);

  worker.strategy().drain({});
  EXPECT_FALSE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 2U);
  worker.forget();

  EXPECT_TRUE(worker.strategy().finish());
  EXPECT_EQ(worker.held(), 2U);
}

TEST_F(AcceptorStrategyTest, ASuccessorReadsWhatItsPredecessorLeft) {
  pass(0, 2);
  { FakeWorker died(world_, 0); }
  FakeWorker successor(world_, 0);

  successor.strategy().resume();
  successor.turn();

  EXPECT_EQ(successor.held(), 2U);
}

}  // namespace
}  // namespace drover::test

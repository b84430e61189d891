// Connections that are closed before the loop has watched them: they wait in the LingerQueue.
#include "tests/unit/worker/harness.h"
#include "worker/linger_queue.h"

namespace drover {
namespace {

using Reasons = std::vector<drover_close_reason>;

// The module says "bye" at once and closes.
class LingerTest : public ConnectionTest {
 protected:
  LingerTest() {
    module_.open = [this](drover_conn conn) {
      module_.write(conn, "bye");
      module_.host->close(module_.context, conn);
    };
  }
  void pass_the_wait() { pass(LingerQueue::kLongest); }
};

TEST_F(LingerTest, IsNotWatchedWhenTheClientClosesAtOnce) {
  for (int i = 0; i < 2; ++i) {
    UniqueFd client = connect();
    EXPECT_EQ(read_some(client), "bye");
    EXPECT_TRUE(is_ended(client));
    client.reset();
    turns(3);
    EXPECT_EQ(live(), 1U) << "it is watched";
    pass_the_wait();
    EXPECT_EQ(live(), 0U);
  }

  EXPECT_EQ(module_.closed, Reasons(2, DROVER_CLOSED_BY_MODULE));
  EXPECT_EQ(value(seat_.counters.closed), 2U);
}

TEST_F(LingerTest, IsNoResetWhenTheClientLeavesWithOne) {
  UniqueFd client = connect_tcp();
  reset(client);

  pass_the_wait();

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(LingerTest, IsWatchedWhenTheClientHasNotClosedAfterTheWait) {
  UniqueFd client = connect();
  pass_the_wait();
  EXPECT_EQ(live(), 1U);

  client.reset();
  turn();

  EXPECT_EQ(live(), 0U);
}

// On an idle worker there is no batch but the one that the loop's own timer begins.
TEST_F(LingerTest, IsCalledByTheLoopWhenItsTimeHasCome) {
  connect().reset();
  now_ += LingerQueue::kLongest / 2;
  connect().reset();

  for (const std::size_t left : {1U, 0U}) {
    now_ += LingerQueue::kLongest / 2;
    for (int i = 0; i < 10 && live() > left; ++i) event_base_loop(base_.get(), EVLOOP_ONCE);
    EXPECT_EQ(live(), left);
  }
}

TEST_F(LingerTest, DiscardsWhatTheClientSendsMeanwhileAndLater) {
  UniqueFd client = connect();
  const std::string much(100'000, 'x');
  send(client, much);
  pass_the_wait();
  send(client, much);
  turn();
  EXPECT_EQ(live(), 1U);
  send(client, much);
  client.reset();
  turns(3);

  EXPECT_EQ(live(), 0U);
  EXPECT_EQ(module_.received, "");
  EXPECT_EQ(value(seat_.counters.bytes_in), 3 * much.size());
}

TEST_F(LingerTest, EndsAtTheLingerTimeoutWhenTheClientNeverCloses) {
  settings_.linger_timeout = Millis{5'000};
  const UniqueFd client = connect();
  pass_the_wait();
  pass(Millis{4'979});
  EXPECT_EQ(live(), 1U);

  pass(Millis{1});

  EXPECT_EQ(module_.closed, Reasons{DROVER_CLOSED_BY_MODULE});
}

TEST_F(LingerTest, LeavesAloneWhoFollowsInThePlaceOfOneThatHasEnded) {
  settings_.linger_timeout = LingerQueue::kLongest / 2;
  const UniqueFd client = connect();
  pass(LingerQueue::kLongest / 2);
  ASSERT_EQ(live(), 0U);
  module_.open = [this](drover_conn conn) { module_.host->pause_reading(module_.context, conn); };
  const UniqueFd follower = connect();
  send(follower, "not to be read yet");

  pass(LingerQueue::kLongest / 2);

  EXPECT_EQ(live(), 1U);
  EXPECT_EQ(module_.received, "");
}

TEST_F(LingerTest, IsCalledWhenEnoughOthersHaveComeBehindIt) {
  connect().reset();
  EXPECT_EQ(live(), 1U);
  std::vector<UniqueFd> others;
  while (others.size() < LingerQueue::kMost) others.push_back(connect());

  EXPECT_EQ(live(), LingerQueue::kMost);
  EXPECT_EQ(module_.closed.size(), 1U);
}

TEST_F(LingerTest, GivesUpItsPlaceWhenTheWorkerIsFull) {
  connect().reset();
  module_.open = nullptr;
  std::vector<UniqueFd> others;
  while (others.size() < kCapacity - 1) others.push_back(connect());

  EXPECT_EQ(live(), kCapacity - 1);
}

TEST_F(LingerTest, GivesBackItsShareOfTheLimitsAtOnce) {
  settings_.max_connections = 1;
  for (int i = 0; i < 3; ++i) {
    connect().reset();
    turn();
    EXPECT_EQ(live(), 0U);
  }

  EXPECT_EQ(module_.closed.size(), 3U);
}

TEST_F(LingerTest, WaitsNoMoreWhereClientsTakeLonger) {
  const UniqueFd far = connect();
  pass_the_wait();

  connect().reset();
  turn();

  EXPECT_EQ(live(), 1U);
}

TEST_F(LingerTest, CountsAsLiveWhileTheWorkerDrainsAndEndsWithIt) {
  const UniqueFd client = connect();
  server_->is_draining = true;
  core_->table().for_each([](Connection& connection) { connection.drain(); });
  turn();
  EXPECT_EQ(live(), 1U);

  core_->end_all(DROVER_DRAINED);
  pass_the_wait();

  EXPECT_EQ(module_.closed, Reasons{DROVER_DRAINED});
}

}  // namespace
}  // namespace drover

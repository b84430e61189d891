// The accept lease between workers of one process, step by step.
#include <gtest/gtest.h>

#include "tests/unit/worker/accept_world.h"
#include "worker/accept/lease.h"

namespace drover::test {
namespace {

class MutexTest : public testing::Test {
 protected:
  MutexTest() {
    for (int slot = 0; slot < 3; ++slot) workers_.emplace_back(world_, slot);
  }
  int holder() { return Lease::unpack(world_.board().leases[0]).holder; }
  void set_lease(int slot, Millis deadline) {
    world_.board().leases[0] = Lease{slot, deadline}.pack();
  }
  void connect(int count) {
    for (int i = 0; i < count; ++i) clients_.push_back(connect_to(port_));
  }
  FakeWorker& worker(int slot) { return workers_[static_cast<std::size_t>(slot)]; }
  void resume_all() {
    for (FakeWorker& each : workers_) each.strategy().resume();
  }
  void make_busy(int slot) { world_.seat(slot).live = 900; }

  AcceptWorld world_{AcceptStrategy::kMutex, 3};
  std::uint16_t port_ = world_.add_listener();
  std::deque<FakeWorker> workers_;
  std::vector<UniqueFd> clients_;
};

TEST_F(MutexTest, OnlyTheHolderListens) {
  resume_all();
  connect(1);

  for (FakeWorker& each : workers_) each.turn();

  EXPECT_EQ(holder(), 0);
  EXPECT_EQ(worker(0).held(), 1U);
  for (FakeWorker& each : workers_) EXPECT_EQ(each.counters().empty_wakeups, 0U);
}

TEST_F(MutexTest, PassesOnAfterEightAcceptsAndRingsTheNext) {
  resume_all();
  connect(10);

  worker(0).turn();
  EXPECT_EQ(worker(0).held(), 8U);
  EXPECT_EQ(worker(0).rung, (std::vector{1}));
  worker(1).strategy().on_doorbell();
  worker(1).turn();

  EXPECT_EQ(worker(1).held(), 2U);
}

TEST_F(MutexTest, StaysWithAnIdleHolderWhichRenewsIt) {
  resume_all();
  const std::uint64_t before = world_.board().leases[0];

  for (int beat = 1; beat <= 8; ++beat) {
    const Millis now = monotonic_now() + beat * Millis{250};
    for (FakeWorker& each : workers_) each.strategy().on_heartbeat(now);
  }

  EXPECT_EQ(holder(), 0);
  EXPECT_GT(world_.board().leases[0], before);
  EXPECT_TRUE(worker(0).rung.empty());
}

TEST_F(MutexTest, IsPassedOnAtTheHeartbeatSomeTimeAfterTheFirstAccept) {
  resume_all();
  connect(1);
  worker(0).turn();

  worker(0).strategy().on_heartbeat(monotonic_now() + kTenureLength);

  EXPECT_EQ(holder(), 1);
}

TEST_F(MutexTest, IsTakenOverOnceItExpired) {
  const Millis now = monotonic_now();
  set_lease(0, now + Millis{100'000});
  worker(1).strategy().resume();

  worker(1).strategy().on_heartbeat(now + Millis{99'999});
  EXPECT_EQ(holder(), 0);
  worker(1).strategy().on_heartbeat(now + Millis{100'000});

  EXPECT_EQ(holder(), 1);
}

TEST_F(MutexTest, IsTakenFromASlotThatIsSteeredAround) {
  resume_all();
  world_.board().set_steered_around(0, true);
  connect(1);

  worker(2).strategy().take_stranded();

  EXPECT_EQ(holder(), 2);
  EXPECT_EQ(worker(2).held(), 1U);
}

TEST_F(MutexTest, AHolderThatWasRobbedTakesNothing) {
  resume_all();
  set_lease(1, monotonic_now() + kLeaseLength);
  connect(1);

  worker(0).turn();

  EXPECT_EQ(worker(0).held(), 0U);
}

TEST_F(MutexTest, SkipsTheBusyTheDeadAndTheSteeredAround) {
  resume_all();
  make_busy(1);
  worker(0).strategy().pause();
  EXPECT_EQ(holder(), 2);

  world_.seat(1).live = 0;
  world_.board().seat_of_slot[0] = -1;
  worker(2).strategy().on_doorbell();
  worker(2).strategy().pause();
  EXPECT_EQ(holder(), 1);

  world_.board().set_steered_around(2, true);
  worker(1).strategy().on_doorbell();
  worker(1).strategy().pause();
  EXPECT_EQ(holder(), -1);  // nobody, and whoever resumes takes it
  worker(2).strategy().resume();
  EXPECT_EQ(holder(), 2);
}

TEST_F(MutexTest, ABusyReceiverPassesItOnAtOnce) {
  resume_all();
  set_lease(1, monotonic_now() + kLeaseLength);
  make_busy(1);

  worker(1).strategy().on_doorbell();

  EXPECT_EQ(holder(), 2);
  EXPECT_EQ(worker(1).rung, (std::vector{2}));
}

TEST_F(MutexTest, APausedReceiverPassesItOnAtItsHeartbeat) {
  resume_all();
  worker(1).strategy().pause();
  set_lease(1, monotonic_now() + kLeaseLength);

  worker(1).strategy().on_heartbeat(monotonic_now());

  EXPECT_EQ(holder(), 2);
}

TEST_F(MutexTest, StaysWithAHolderThatHasRoomWhenAllOthersAreBusy) {
  resume_all();
  make_busy(1);
  make_busy(2);
  connect(20);

  worker(0).turn();
  worker(0).turn();
  worker(0).turn();

  EXPECT_EQ(worker(0).held(), 20U);
  EXPECT_EQ(holder(), 0);
  EXPECT_TRUE(worker(0).rung.empty());
}

TEST_F(MutexTest, ASuccessorGoesOnWithTheLeaseOfItsKilledPredecessor) {
  set_lease(0, monotonic_now() + kLeaseLength);
  connect(1);

  worker(0).strategy().resume();
  worker(0).turn();

  EXPECT_EQ(worker(0).held(), 1U);
  EXPECT_EQ(holder(), 0);
}

TEST_F(MutexTest, AProcessThatLeavesDoesNotTouchItsSuccessorsLease) {
  worker(0).strategy().resume();
  worker(0).strategy().pause();
  world_.board().seat_of_slot[0] = 9;  // the successor's seat
  set_lease(0, monotonic_now() + kLeaseLength);

  worker(0).strategy().on_heartbeat(monotonic_now());

  EXPECT_EQ(holder(), 0);
}

TEST_F(MutexTest, LosesNoConnectionWhenTheHolderIsPaused) {
  resume_all();
  connect(5);
  worker(0).strategy().pause();
  worker(1).strategy().on_doorbell();

  worker(0).turn();
  worker(1).turn();

  EXPECT_EQ(worker(0).held(), 0U);
  EXPECT_EQ(worker(1).held(), 5U);
}

}  // namespace
}  // namespace drover::test

// Whether somebody is left of a former master, by what its scoreboard's head says.
#include "master/predecessors.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/support/forking.h"

namespace drover {
namespace {

class PredecessorsTest : public testing::Test, private Predecessors::Owner {
 protected:
  struct Gone {
    pid_t pid;
    Totals totals;
    bool was_unwatched;
  };

  PredecessorsTest() {
    const pid_t child = test::in_child([] {});
    test::wait_for(child);
    dead_ = child;
    former_.mapping->head.master_pid = dead_;
    former_.mapping->head.retired[0] = 7;  // accepted
  }
  // Somebody who has a mapping of the former's scoreboard: this process.
  void seat_somebody() {
    former_.mapping->seats[0].pid = getpid();
    former_.mapping->seats[0].state = SeatState::kServing;
  }
  void start() {
    predecessors_.add(dead_, std::move(former_.fd), UniqueFd());
    predecessors_.start(Millis{60'000});
  }
  void turn() { event_base_loop(base_.get(), EVLOOP_ONCE); }

  pid_t dead_ = 0;
  SharedScoreboard former_ = make_scoreboard();
  Log log_{UniqueFd(open("/dev/null", O_WRONLY)), Log::Style::kPlain, LogLevel::kDebug};
  EventBase base_ = make_event_base();
  MasterContext context_{base_.get(), &log_, nullptr, nullptr, {}};
  Predecessors predecessors_{context_, this};
  std::optional<Gone> gone_;

 private:
  void on_predecessor_gone(pid_t pid, const Predecessors::Counted& counted,
                           bool was_unwatched) override {
    gone_ = {pid, counted.totals, was_unwatched};
  }
};

TEST_F(PredecessorsTest, AreGoneWithTheirLastProcess) {
  start();

  turn();

  ASSERT_TRUE(gone_);
  EXPECT_EQ(gone_->pid, dead_);
  EXPECT_EQ(gone_->totals.values[0], 7U);
  EXPECT_TRUE(gone_->was_unwatched) << "nobody saw how its processes ended";
  EXPECT_TRUE(predecessors_.is_empty());
  EXPECT_TRUE(former_.mapping->head.is_counted);
}

// A master that leaves with its successor, or a word that a worker has written over.
TEST_F(PredecessorsTest, AreNotGoneWhileAProcessLivesWhateverTheHeadSays) {
  former_.mapping->head.master_pid = 0;
  seat_somebody();
  start();
  turn();
  EXPECT_FALSE(gone_);

  former_.mapping->seats[0].state = SeatState::kFree;
  turn();

  EXPECT_TRUE(gone_);
}

TEST_F(PredecessorsTest, WhoLeaveInOrderHaveSeenTheirProcessesEnd) {
  former_.mapping->head.master_pid = 0;
  start();

  turn();

  ASSERT_TRUE(gone_);
  EXPECT_FALSE(gone_->was_unwatched);
}

// Its seats cannot be read, so that the time is all there is to go by.
TEST_F(PredecessorsTest, OfAnotherLayoutStayUntilTheyMustHaveLeft) {
  former_.mapping->head.layout += 1;
  start();
  turn();
  EXPECT_FALSE(gone_);
  EXPECT_EQ(predecessors_.remains().size(), 1U);
  EXPECT_GT(former_.mapping->head.leave_by_ms, monotonic_now().count());

  former_.mapping->head.leave_by_ms = monotonic_now().count() - 60'000;
  turn();

  ASSERT_TRUE(gone_);
  EXPECT_TRUE(gone_->was_unwatched);
  EXPECT_EQ(gone_->totals.values[0], 7U) << "the head is of every version";
}

TEST_F(PredecessorsTest, OfAnotherLayoutAreGoneWhenTheySaySo) {
  former_.mapping->head.layout += 1;
  former_.mapping->head.master_pid = 0;
  start();

  turn();

  EXPECT_TRUE(gone_);
}

}  // namespace
}  // namespace drover

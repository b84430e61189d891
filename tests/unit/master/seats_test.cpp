// Seats hand out ledgers and have the limits counted again when a seat is given back.
#include "master/seats.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <optional>

namespace drover {
namespace {

class SeatsTest : public testing::Test {
 protected:
  // A seat whose process holds one of the key.
  Seats::Lease take_and_hold() {
    Seats::Lease seat = seats_.take(10).value();
    EXPECT_EQ(limits_->take(key_, 10, seat.ledger()->at(3).server_key),
              LimitTable::Verdict::kGranted);
    return seat;
  }
  void turn() { event_base_loop(base_.get(), EVLOOP_ONCE); }

  Log log_{UniqueFd(open("/dev/null", O_WRONLY)), Log::Style::kPlain, LogLevel::kDebug};
  EventBase base_ = make_event_base();
  ScoreboardMapping scoreboard_ = make_scoreboard().mapping;
  LimitTableMapping limits_ = make_limit_table();
  MetricBoard metrics_;
  MasterContext context_{.base = base_.get(),
                         .log = &log_,
                         .scoreboard = scoreboard_.get(),
                         .limits = limits_.get(),
                         .roles = {},
                         .metrics = &metrics_};
  Seats seats_{context_};
  std::uint64_t key_ = limits_->key("web");
};

TEST_F(SeatsTest, GivesNoLedgerToOneThatCountsNothing) {
  const Seats::Lease seat = seats_.take(0).value();

  EXPECT_EQ(seat.ledger(), nullptr);
}

TEST_F(SeatsTest, RefusesWhenThereIsNoMemoryForTheLedgerAndKeepsTheSeat) {
  const auto refused = seats_.take(std::size_t{1} << 52);
  const Seats::Lease next = seats_.take(10).value();

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "mmap of a ledger of limits: Cannot allocate memory");
  EXPECT_EQ(next.index(), 0);
}

TEST_F(SeatsTest, KeepsTheCountersOfASeatThatWasGivenBack) {
  auto layout = std::make_shared<MetricLayout>();
  layout->add("web", "m", {{MetricKind::kCounter, "lines", ""}});
  const auto lines = [&] {
    return seats_.metrics().text(layout->servers[0], layout->servers[0].metrics[0]);
  };
  std::optional<Seats::Lease> leaves(seats_.take(0, layout).value());
  const Seats::Lease stays = seats_.take(0, layout).value();
  leaves->metrics()[0] = 3;
  stays.metrics()[0] = 4;
  EXPECT_EQ(lines(), "7");

  leaves.reset();
  EXPECT_EQ(lines(), "7");
  const Seats::Lease next = seats_.take(0, layout).value();
  EXPECT_EQ(next.metrics()[0], 0U);
  EXPECT_EQ(lines(), "7");
}

TEST_F(SeatsTest, CountsOnceInTheNextTurnForAllThatLeft) {
  const Seats::Lease stays = take_and_hold();
  std::optional<Seats::Lease> first(take_and_hold());
  std::optional<Seats::Lease> second(take_and_hold());

  first.reset();
  second.reset();
  EXPECT_EQ(limits_->count(key_), 3U) << "counted inside the exit";
  turn();

  EXPECT_EQ(limits_->count(key_), 1U);
  EXPECT_EQ(event_base_get_num_events(base_.get(), EVENT_BASE_COUNT_ADDED), 0);
}

TEST_F(SeatsTest, CountsNothingWhenOneWithoutALedgerLeaves) {
  std::optional<Seats::Lease> seat(seats_.take(0).value());

  seat.reset();

  EXPECT_EQ(event_base_get_num_events(base_.get(), EVENT_BASE_COUNT_ADDED), 0);
}

}  // namespace
}  // namespace drover

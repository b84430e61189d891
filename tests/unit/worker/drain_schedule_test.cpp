#include "worker/drain_schedule.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(DrainSchedule, CutsNobodyInTheFirstThreeQuarters) {
  DrainSchedule schedule(Millis{0}, Millis{4000});

  EXPECT_EQ(schedule.due(100, Millis{0}), 0U);
  EXPECT_EQ(schedule.due(100, Millis{2999}), 0U);
}

TEST(DrainSchedule, SpreadsTheCutsEvenlyOverTheLastQuarter) {
  DrainSchedule schedule(Millis{0}, Millis{4000});
  std::size_t live = 100;

  for (int step = 0; step <= 10; ++step) {
    live -= schedule.due(live, Millis{3000 + step * 100});
    EXPECT_EQ(live, 100U - static_cast<std::size_t>(step) * 10);
  }
}

TEST(DrainSchedule, CutsFewerWhenConnectionsEndByThemselves) {
  DrainSchedule schedule(Millis{0}, Millis{4000});
  ASSERT_EQ(schedule.due(100, Millis{3000}), 0U);

  EXPECT_EQ(schedule.due(40, Millis{3500}), 0U);
  EXPECT_EQ(schedule.due(40, Millis{3700}), 10U);
}

TEST(DrainSchedule, LeavesNobodyAtTheDeadline) {
  DrainSchedule schedule(Millis{0}, Millis{4000});
  EXPECT_EQ(schedule.due(7, Millis{4000}), 7U);

  DrainSchedule past(Millis{100}, Millis{50});
  EXPECT_EQ(past.due(7, Millis{100}), 7U);
}

TEST(DrainSchedule, AsksOftenEnoughForShortDeadlines) {
  EXPECT_EQ(DrainSchedule(Millis{0}, Millis{300'000}).interval(), Millis{250});
  EXPECT_EQ(DrainSchedule(Millis{0}, Millis{1'000}).interval(), Millis{12});
  EXPECT_EQ(DrainSchedule(Millis{0}, Millis{0}).interval(), Millis{10});
}

}  // namespace
}  // namespace drover

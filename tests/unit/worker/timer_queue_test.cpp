#include "worker/timer_queue.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(TimerQueue, GivesWhatIsDueEarliestFirst) {
  TimerQueue<std::uint64_t> queue;
  queue.set(1, Millis{30});
  queue.set(2, Millis{10});
  queue.set(3, Millis{20});

  EXPECT_EQ(queue.next(), Millis{10});
  EXPECT_EQ(queue.pop_due(Millis{20}), 2U);
  EXPECT_EQ(queue.pop_due(Millis{20}), 3U);
  EXPECT_EQ(queue.pop_due(Millis{20}), std::nullopt);
  EXPECT_EQ(queue.next(), Millis{30});
}

TEST(TimerQueue, KeepsTheLastDeadlineOfAKey) {
  TimerQueue<std::uint64_t> queue;
  queue.set(1, Millis{10});
  queue.set(1, Millis{50});

  EXPECT_EQ(queue.pop_due(Millis{49}), std::nullopt);
  EXPECT_EQ(queue.pop_due(Millis{50}), 1U);
  EXPECT_EQ(queue.next(), std::nullopt);
}

TEST(TimerQueue, ForgetsWhatIsCancelled) {
  TimerQueue<std::uint64_t> queue;
  queue.set(1, Millis{10});
  queue.cancel(1);
  queue.cancel(2);

  EXPECT_EQ(queue.next(), std::nullopt);
}

}  // namespace
}  // namespace drover

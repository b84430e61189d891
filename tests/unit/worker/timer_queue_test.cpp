#include "worker/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace drover {
namespace {

// The other way to keep what counts: by place.
class SerialsByPlace {
 public:
  [[nodiscard]] std::uint64_t of(std::uint64_t key) const { return serials_[key]; }
  void set(std::uint64_t key, std::uint64_t serial) { serials_[key] = serial; }

 private:
  std::vector<std::uint64_t> serials_ = std::vector<std::uint64_t>(100'000);
};

template <class Queue>
class TimerQueueTest : public testing::Test {
 protected:
  Queue queue_;
};
using Queues = testing::Types<TimerQueue<std::uint64_t>, TimerQueue<std::uint64_t, SerialsByPlace>>;
TYPED_TEST_SUITE(TimerQueueTest, Queues);

TYPED_TEST(TimerQueueTest, GivesWhatIsDueEarliestFirst) {
  auto& queue = this->queue_;
  queue.set(1, Millis{30});
  queue.set(2, Millis{10});
  queue.set(3, Millis{20});

  EXPECT_EQ(queue.next(), Millis{10});
  EXPECT_EQ(queue.pop_due(Millis{20}), 2U);
  EXPECT_EQ(queue.pop_due(Millis{20}), 3U);
  EXPECT_EQ(queue.pop_due(Millis{20}), std::nullopt);
  EXPECT_EQ(queue.next(), Millis{30});
}

TYPED_TEST(TimerQueueTest, KeepsTheLastDeadlineOfAKey) {
  auto& queue = this->queue_;
  queue.set(1, Millis{10});
  queue.set(1, Millis{50});

  EXPECT_EQ(queue.pop_due(Millis{49}), std::nullopt);
  EXPECT_EQ(queue.pop_due(Millis{50}), 1U);
  EXPECT_EQ(queue.next(), std::nullopt);
}

TYPED_TEST(TimerQueueTest, ForgetsWhatIsCancelled) {
  auto& queue = this->queue_;
  queue.set(1, Millis{10});
  queue.cancel(1);
  queue.cancel(2);

  EXPECT_EQ(queue.next(), std::nullopt);
}

TYPED_TEST(TimerQueueTest, GivesAKeyOnceWhoseFormerDeadlineIsSetAgain) {
  auto& queue = this->queue_;
  queue.set(1, Millis{10});
  queue.set(1, Millis{50});
  queue.set(1, Millis{10});

  EXPECT_EQ(queue.pop_due(Millis{60}), 1U);
  EXPECT_EQ(queue.pop_due(Millis{60}), std::nullopt);
}

TYPED_TEST(TimerQueueTest, KeepsLittleOfWhatIsSetAndCancelledForEver) {
  auto& queue = this->queue_;
  queue.set(1, Millis{5});  // on top, so that nothing below comes up
  for (std::uint64_t i = 2; i < 100'000; ++i) {
    queue.set(i, Millis{10'000 + static_cast<std::int64_t>(i)});
    queue.cancel(i);
    ASSERT_LE(queue.kept(), 70U);
  }

  EXPECT_EQ(queue.pop_due(Millis{5}), 1U);
  EXPECT_EQ(queue.next(), std::nullopt);
}

TYPED_TEST(TimerQueueTest, KeepsLittleOfWhatIsSetAgainForEver) {
  auto& queue = this->queue_;
  for (int i = 0; i < 100'000; ++i) {
    queue.set(1, Millis{10 + i % 2});
    ASSERT_LE(queue.kept(), 70U);
  }

  EXPECT_EQ(queue.pop_due(Millis{20}), 1U);
  EXPECT_EQ(queue.next(), std::nullopt);
}

// Against an ordered set, with a few keys that are set, cancelled and taken out in any order.
TYPED_TEST(TimerQueueTest, AgreesWithASet) {
  auto& queue = this->queue_;
  std::map<std::uint64_t, Millis> all;
  std::mt19937 random(7);
  Millis now{0};
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t key = random() % 50;
    if (random() % 4 == 0) {
      queue.cancel(key);
      all.erase(key);
    } else {
      queue.set(key, all[key] = now + Millis{1 + random() % 200});
    }
    if (i % 3 != 0) continue;
    now += Millis{random() % 20};
    while (const auto due = queue.pop_due(now)) {
      ASSERT_LE(all.at(*due), now);
      all.erase(*due);
    }
    ASSERT_TRUE(std::ranges::all_of(all, [&](const auto& entry) { return entry.second > now; }));
  }
}

}  // namespace
}  // namespace drover

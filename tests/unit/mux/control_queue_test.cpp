// Which control frames are a reason to send, and when.
#include "modules/mux/control_queue.h"

#include <gtest/gtest.h>

#include "modules/mux/limits.h"

namespace mux::testing {
namespace {

constexpr Time kNow{1'000};

class ControlQueueTest : public ::testing::Test {
 protected:
  std::string taken(std::size_t room = 1'000'000) {
    std::string out;
    queue_.append_to(out, room);
    return out;
  }

  ControlQueue queue_;
};

TEST_F(ControlQueueTest, SendsFramesAtOnce) {
  EXPECT_FALSE(queue_.is_due());
  queue_.add("one");
  queue_.add("two");

  EXPECT_TRUE(queue_.is_due());
  EXPECT_EQ(queue_.due_at(), std::nullopt);
  EXPECT_EQ(taken(), "onetwo");
  EXPECT_FALSE(queue_.is_due());
  EXPECT_TRUE(queue_.is_empty());
}

TEST_F(ControlQueueTest, LetsANoticeWaitForItsTime) {
  queue_.add_notice("one", kNow);
  queue_.add_notice("two", kNow + Time{5});
  EXPECT_FALSE(queue_.is_due());
  EXPECT_FALSE(queue_.is_empty());
  EXPECT_EQ(queue_.due_at(), kNow + kNoticeDelay) << "the first one's";

  queue_.wake(kNow + kNoticeDelay - Time{1});
  EXPECT_FALSE(queue_.is_due());
  queue_.wake(kNow + kNoticeDelay);
  EXPECT_TRUE(queue_.is_due());
  EXPECT_EQ(queue_.due_at(), std::nullopt);
  EXPECT_EQ(taken(), "onetwo");

  queue_.add_notice("three", kNow + Time{50});
  EXPECT_FALSE(queue_.is_due());
  EXPECT_EQ(queue_.due_at(), kNow + Time{50} + kNoticeDelay);
}

TEST_F(ControlQueueTest, LetsNoticesGoWithWhatIsSentAnyway) {
  queue_.add_notice("one", kNow);
  EXPECT_EQ(taken(), "one");
  EXPECT_EQ(queue_.due_at(), std::nullopt);

  queue_.add_notice("two", kNow);
  queue_.add("three");
  queue_.add_notice("four", kNow);
  EXPECT_TRUE(queue_.is_due());
  EXPECT_EQ(queue_.due_at(), std::nullopt);
  EXPECT_EQ(taken(), "twothreefour");
}

TEST_F(ControlQueueTest, LetsOnlySoManyNoticesWait) {
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 1; i < kMostNotices; ++i) queue_.add_notice("x", kNow);
    EXPECT_FALSE(queue_.is_due());
    queue_.add_notice("x", kNow);
    EXPECT_TRUE(queue_.is_due());
    EXPECT_EQ(taken(), std::string(kMostNotices, 'x'));
  }
}

TEST_F(ControlQueueTest, SendsWhatIsLeftOfABeginning) {
  queue_.add_notice("one", kNow);
  queue_.add_notice("two", kNow);

  EXPECT_EQ(taken(1), "one");
  EXPECT_TRUE(queue_.is_due());
  EXPECT_EQ(queue_.due_at(), std::nullopt);
  EXPECT_EQ(queue_.size(), 4U) << "with the byte that says how long it is";
  EXPECT_EQ(taken(0), "");
  EXPECT_EQ(taken(), "two");
}

}  // namespace
}  // namespace mux::testing

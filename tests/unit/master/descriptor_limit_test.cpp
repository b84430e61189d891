#include "master/descriptor_limit.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(DescriptorLimit, StaysWhereWhatWasGivenLeavesRoom) {
  EXPECT_EQ(limit_beside(0, 1024), 1024U);
  EXPECT_EQ(limit_beside(512, 1024), 1024U);
  EXPECT_EQ(limit_beside(1'000'000, RLIM_INFINITY), RLIM_INFINITY);
}

TEST(DescriptorLimit, HasRoomForAsManyAgainAndStaysThere) {
  EXPECT_EQ(limit_beside(600, 1024), 1200U);
  EXPECT_EQ(limit_beside(5'000, 1024), 10'000U);
  EXPECT_EQ(limit_beside(5'000, limit_beside(5'000, 1024)), 10'000U);
}

class RaisedLimitTest : public ::testing::Test {
 protected:
  RaisedLimitTest() { getrlimit(RLIMIT_NOFILE, &before_), set(300); }
  ~RaisedLimitTest() override { setrlimit(RLIMIT_NOFILE, &before_); }
  void set(rlim_t soft) const {
    const rlimit limit{soft, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  [[nodiscard]] static rlim_t soft() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
  }
  rlimit before_{};
};

TEST_F(RaisedLimitTest, IsTheHardOneAndThenWhatItWas) {
  {
    const RaisedDescriptorLimit raised;
    EXPECT_EQ(soft(), before_.rlim_max);
  }
  EXPECT_EQ(soft(), 300U);
}

TEST_F(RaisedLimitTest, KeepsRoomForWhatWasGiven) {
  {
    RaisedDescriptorLimit raised;
    raised.make_room(200);
  }
  EXPECT_EQ(soft(), 400U);
}

TEST_F(RaisedLimitTest, OfAConfigurationThatIsTakenBackIsTakenBack) {
  Log log;
  DescriptorLimit limit;
  limit.note_inherited();
  limit.set(64, log);
  ASSERT_EQ(soft(), 64U);

  limit.set(0, log);

  EXPECT_EQ(soft(), 300U);
}

}  // namespace
}  // namespace drover

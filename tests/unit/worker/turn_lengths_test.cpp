#include "worker/turn_lengths.h"

#include <gtest/gtest.h>

#include <limits>

namespace drover {
namespace {

class TurnLengthsTest : public testing::Test {
 protected:
  void add(int count, std::uint32_t turn_us) {
    for (int i = 0; i < count; ++i) lengths_.add(now_, turn_us);
  }
  TurnLengths::Summary summary() { return lengths_.summary(now_); }

  Millis now_{123'456'789};  // any time after the boot
  TurnLengths lengths_;
};

TEST_F(TurnLengthsTest, AreZeroBeforeTheFirst) {
  EXPECT_EQ(summary().max_us, 0U);
  EXPECT_EQ(summary().p99_us, 0U);
}

TEST_F(TurnLengthsTest, TellWhatNinetyNineOfAHundredDidNotExceed) {
  add(99, 100);
  add(1, 50'000);

  EXPECT_EQ(summary().max_us, 50'000U);
  EXPECT_GE(summary().p99_us, 100U);
  EXPECT_LE(summary().p99_us, 112U);
}

TEST_F(TurnLengthsTest, LookAtTheSlowWhenTheyAreMoreThanOneOfAHundred) {
  add(98, 100);
  add(2, 50'000);

  EXPECT_EQ(summary().p99_us, 50'000U);
}

TEST_F(TurnLengthsTest, ForgetATurnAfterAMinuteAndNotBefore50Seconds) {
  add(1, 700);

  now_ += Millis{49'999};
  EXPECT_EQ(summary().max_us, 700U);
  EXPECT_EQ(summary().p99_us, 700U);
  now_ += Millis{10'001};
  EXPECT_EQ(summary().max_us, 0U);
  EXPECT_EQ(summary().p99_us, 0U);
}

TEST_F(TurnLengthsTest, KeepWhatCameLaterWhenTheFirstIsForgotten) {
  add(1000, 700);
  now_ += Millis{30'000};
  add(1, 40);

  now_ += Millis{30'000};

  EXPECT_EQ(summary().max_us, 40U);
  EXPECT_EQ(summary().p99_us, 40U);
}

TEST_F(TurnLengthsTest, ForgetAllAfterALongSilence) {
  add(5, 700);
  now_ += Millis{86'400'000};

  EXPECT_EQ(summary().max_us, 0U);
  add(1, 3);
  EXPECT_EQ(summary().p99_us, 3U);
}

class OneLengthTest : public testing::TestWithParam<std::uint32_t> {};

// The second of a pair of turns is so long that the percentile is the bucket's own bound.
TEST_P(OneLengthTest, IsToldAtMostAnEighthTooHigh) {
  TurnLengths lengths;
  for (int i = 0; i < 200; ++i) lengths.add(Millis{1}, GetParam());
  lengths.add(Millis{1}, std::numeric_limits<std::uint32_t>::max());

  const std::uint64_t told = lengths.summary(Millis{1}).p99_us;

  EXPECT_GE(told, GetParam());
  EXPECT_LE(told, std::uint64_t{GetParam()} + GetParam() / 8);
}

INSTANTIATE_TEST_SUITE_P(All, OneLengthTest,
                         testing::Values(0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 999, 1'000, 65'535,
                                         65'536, 1'000'000, 2'147'483'648U, 4'294'967'295U));

}  // namespace
}  // namespace drover

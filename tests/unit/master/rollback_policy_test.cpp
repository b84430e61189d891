#include "master/rollback_policy.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(RollbackPolicy, TakesNothingBackWithoutAWindow) {
  RollbackPolicy policy;
  EXPECT_FALSE(policy.is_open(Millis{0}));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(policy.after_crash(Millis{0}));
}

TEST(RollbackPolicy, ReturnsAtTheFirstCrashBeyondTheLimit) {
  RollbackPolicy policy;
  policy.open(Millis{1'000}, 2);
  EXPECT_FALSE(policy.after_crash(Millis{10}));
  EXPECT_FALSE(policy.after_crash(Millis{20}));
  EXPECT_TRUE(policy.after_crash(Millis{30}));
  EXPECT_EQ(policy.crashes(), 3);
}

TEST(RollbackPolicy, ReturnsAtTheFirstOfAllWhenNoneIsForgiven) {
  RollbackPolicy policy;
  policy.open(Millis{1'000}, 0);
  EXPECT_TRUE(policy.after_crash(Millis{0}));
}

TEST(RollbackPolicy, ForgetsEverythingWhenTheWindowEnds) {
  RollbackPolicy policy;
  policy.open(Millis{1'000}, 0);
  EXPECT_TRUE(policy.is_open(Millis{999}));
  EXPECT_EQ(policy.left(Millis{999}), Millis{1});
  EXPECT_FALSE(policy.is_open(Millis{1'000}));
  EXPECT_FALSE(policy.after_crash(Millis{1'000}));
  EXPECT_EQ(policy.left(Millis{2'000}), Millis{0});
}

TEST(RollbackPolicy, CountsAnewForAReloadWithinTheWindow) {
  RollbackPolicy policy;
  policy.open(Millis{1'000}, 1);
  EXPECT_FALSE(policy.after_crash(Millis{0}));
  policy.open(Millis{2'000}, 1);
  EXPECT_FALSE(policy.after_crash(Millis{0}));
  EXPECT_TRUE(policy.after_crash(Millis{1'999}));
}

TEST(RollbackPolicy, TriesAReturnThatFailedOnceMore) {
  RollbackPolicy policy;
  policy.open(Millis{1'000}, 1);
  static_cast<void>(policy.after_crash(Millis{0}));
  ASSERT_TRUE(policy.after_crash(Millis{0}));

  EXPECT_FALSE(policy.after_failed_return());
  EXPECT_FALSE(policy.after_crash(Millis{10}));
  EXPECT_TRUE(policy.after_crash(Millis{10}));
  EXPECT_TRUE(policy.after_failed_return());
}

}  // namespace
}  // namespace drover

#include "master/quarantine_policy.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

constexpr Millis kWindow{1'000};

TEST(QuarantinePolicy, ForgivesAnyNumberWhenItIsOff) {
  QuarantinePolicy policy;
  for (int i = 0; i < 1'000; ++i) EXPECT_FALSE(policy.after_failure("echo", Millis{0}));
}

TEST(QuarantinePolicy, QuarantinesAtTheFirstFailureBeyondTheLimit) {
  QuarantinePolicy policy(2, kWindow);
  EXPECT_FALSE(policy.after_failure("echo", Millis{0}));
  EXPECT_FALSE(policy.after_failure("echo", Millis{10}));
  EXPECT_TRUE(policy.after_failure("echo", Millis{20}));
}

TEST(QuarantinePolicy, SaysSoAtEachFurtherOneForWhoCouldNotActAtOnce) {
  QuarantinePolicy policy(1, kWindow);
  EXPECT_FALSE(policy.after_failure("echo", Millis{0}));
  EXPECT_TRUE(policy.after_failure("echo", Millis{0}));
  EXPECT_TRUE(policy.after_failure("echo", Millis{0}));
}

TEST(QuarantinePolicy, CountsEachModuleByItself) {
  QuarantinePolicy policy(1, kWindow);
  EXPECT_FALSE(policy.after_failure("echo", Millis{0}));
  EXPECT_FALSE(policy.after_failure("kvs", Millis{0}));
  EXPECT_TRUE(policy.after_failure("kvs", Millis{0}));
}

TEST(QuarantinePolicy, ForgetsWhatIsOlderThanTheWindow) {
  QuarantinePolicy policy(2, kWindow);
  for (Millis now{0}; now < kWindow * 100; now += kWindow / 2 + Millis{1})
    EXPECT_FALSE(policy.after_failure("echo", now)) << now.count();
}

TEST(QuarantinePolicy, CountsOneThatIsAsOldAsTheWindow) {
  QuarantinePolicy policy(1, kWindow);
  EXPECT_FALSE(policy.after_failure("echo", Millis{0}));
  EXPECT_TRUE(policy.after_failure("echo", kWindow));
}

}  // namespace
}  // namespace drover

#include "master/restart_policy.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

TEST(RestartPolicy, RefillsAtOnceAfterAWorkerThatServed) {
  RestartPolicy policy;
  EXPECT_EQ(policy.after_death(Millis{20'000}), Millis{0});
}

TEST(RestartPolicy, TheThirdYoungDeathStartsTheBackOff) {
  RestartPolicy policy;
  EXPECT_EQ(policy.after_death(Millis{1'000}), Millis{0});
  EXPECT_EQ(policy.after_death(Millis{1'000}), Millis{0});
  EXPECT_EQ(policy.after_death(Millis{1'000}), RestartPolicy::kFirstWait);
  EXPECT_EQ(policy.after_death(Millis{1'000}), RestartPolicy::kFirstWait * 2);
}

TEST(RestartPolicy, BacksOffFromTheFirstDeathBeforeReady) {
  RestartPolicy policy;
  EXPECT_EQ(policy.after_death(std::nullopt), RestartPolicy::kFirstWait);
}

TEST(RestartPolicy, StartsAtMostTenInAMinuteWhenNoneBecomesReady) {
  RestartPolicy policy;
  int starts = 0;
  for (Millis now{0}; now <= Millis{60'000}; now += policy.after_death(std::nullopt)) ++starts;
  EXPECT_LE(starts, 11);  // the first start is not a respawn
}

TEST(RestartPolicy, NeverWaitsLongerThanTheLongestWait) {
  RestartPolicy policy;
  for (int i = 0; i < 100; ++i)
    EXPECT_LE(policy.after_death(std::nullopt), RestartPolicy::kLongestWait);
}

TEST(RestartPolicy, ForgetsFailuresAfterAMinuteOfHealth) {
  RestartPolicy policy;
  for (int i = 0; i < 5; ++i) (void)policy.after_death(std::nullopt);
  EXPECT_EQ(policy.after_death(RestartPolicy::kHealthy), Millis{0});
  EXPECT_EQ(policy.after_death(std::nullopt), RestartPolicy::kFirstWait);
}

}  // namespace
}  // namespace drover

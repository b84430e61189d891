#include "worker/accept/lease.h"

#include <gtest/gtest.h>

#include "worker/accept/slots.h"

namespace drover {
namespace {

TEST(Lease, SurvivesPacking) {
  const Lease lease = Lease::unpack(Lease{255, Millis{123'456'789'012}}.pack());
  EXPECT_EQ(lease.holder, 255);
  EXPECT_EQ(lease.deadline, Millis{123'456'789'012});
}

TEST(Lease, IsHeldByNobodyWhenTheWordIsZero) {
  EXPECT_EQ(Lease::unpack(0).holder, -1);
  EXPECT_TRUE(Lease::unpack(0).is_free(Millis{0}));
}

TEST(Lease, IsFreeFromItsDeadlineOn) {
  const Lease lease{3, Millis{1000}};
  EXPECT_FALSE(lease.is_free(Millis{999}));
  EXPECT_TRUE(lease.is_free(Millis{1000}));
}

TEST(Tenure, EndsAfterEightAccepts) {
  Tenure tenure;
  tenure.count(7, Millis{10});
  EXPECT_FALSE(tenure.is_over(Millis{10}));
  tenure.count(1, Millis{11});
  EXPECT_TRUE(tenure.is_over(Millis{11}));
}

TEST(Tenure, EndsSomeTimeAfterItsFirstAccept) {
  Tenure tenure;
  tenure.count(1, Millis{1000});
  tenure.count(1, Millis{1100});
  EXPECT_FALSE(tenure.is_over(Millis{1199}));
  EXPECT_TRUE(tenure.is_over(Millis{1200}));
}

TEST(Tenure, NeverEndsForAnIdleHolder) { EXPECT_FALSE(Tenure().is_over(Millis{1'000'000})); }

TEST(Tenure, BeginsAnew) {
  Tenure tenure;
  tenure.count(8, Millis{0});
  tenure.begin();
  EXPECT_FALSE(tenure.is_over(Millis{1'000'000}));
}

TEST(NextInRing, GoesRoundAndSkips) {
  const auto anyone = [](int) { return true; };
  EXPECT_EQ(next_in_ring(0, 4, anyone), 1);
  EXPECT_EQ(next_in_ring(3, 4, anyone), 0);
  EXPECT_EQ(next_in_ring(3, 4, [](int slot) { return slot == 2; }), 2);
}

TEST(NextInRing, NeverGivesTheAskerItself) {
  EXPECT_EQ(next_in_ring(0, 1, [](int) { return true; }), -1);
  EXPECT_EQ(next_in_ring(1, 4, [](int slot) { return slot == 1; }), -1);
}

TEST(IsBusy, BeginsAtSevenEighths) {
  EXPECT_FALSE(is_busy(6, 8));
  EXPECT_TRUE(is_busy(7, 8));
  EXPECT_TRUE(is_busy(0, 0));  // not started
}

}  // namespace
}  // namespace drover

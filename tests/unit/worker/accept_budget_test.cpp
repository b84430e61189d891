#include "worker/accept/accept_budget.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

using std::chrono::microseconds;

TEST(AcceptBudget, IsOneWhileTurnsAreShort) {
  EXPECT_EQ(accept_budget(microseconds{0}), 1);
  EXPECT_EQ(accept_budget(microseconds{63}), 1);
}

TEST(AcceptBudget, GrowsWithTheTurnUpToItsMost) {
  EXPECT_EQ(accept_budget(microseconds{640}), 11);
  EXPECT_EQ(accept_budget(microseconds{10'000'000}), kMaxAcceptBudget);
}

}  // namespace
}  // namespace drover

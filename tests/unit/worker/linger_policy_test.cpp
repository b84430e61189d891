#include "worker/linger_policy.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

void wait(LingerPolicy& policy, int times, bool peer_had_ended) {
  for (int i = 0; i < times; ++i) policy.after_wait(peer_had_ended);
}

// Of so many connections.
int waiting(LingerPolicy& policy, int connections) {
  int count = 0;
  for (int i = 0; i < connections; ++i) count += policy.should_wait() ? 1 : 0;
  return count;
}

TEST(LingerPolicy, LetsAllWaitWhilePeersEndMeanwhile) {
  LingerPolicy policy;
  wait(policy, 1000, true);

  EXPECT_EQ(waiting(policy, 1000), 1000);
}

TEST(LingerPolicy, ForgivesAFewThatWaitedInVain) {
  LingerPolicy policy;
  wait(policy, 1000, true);
  wait(policy, 32, false);

  EXPECT_EQ(waiting(policy, 1000), 1000);
}

TEST(LingerPolicy, TriesAgainAfterAWhileWhenAllWaitedInVain) {
  LingerPolicy policy;
  wait(policy, 64, false);

  EXPECT_EQ(waiting(policy, 512), 0);
  EXPECT_EQ(waiting(policy, 10), 10);
}

}  // namespace
}  // namespace drover

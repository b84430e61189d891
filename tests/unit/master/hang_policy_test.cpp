#include "master/hang_policy.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

constexpr Millis kSteerAfter{1'200};
constexpr Millis kHangTimeout{10'000};

// Calls the policy every tick up to `until`, children beating as they say; the last verdict with a
// kill, else the last.
class HangPolicyTest : public ::testing::Test {
 protected:
  HangVerdict run_until(Millis until, const std::vector<Vitals>& children) {
    HangVerdict verdict;
    for (; now_ <= until; now_ += HangPolicy::kTick) {
      std::vector<Vitals> current = children;
      for (Vitals& child : current) {
        if (child.last_beat == kBeats) child.last_beat = now_;
      }
      verdict = policy_.judge(now_, current);
      if (verdict.kill) kills_.push_back(current[*verdict.kill].pid);
    }
    return verdict;
  }

  static constexpr Millis kBeats{-1};  // stands for a child that beats all the time
  HangPolicy policy_{kSteerAfter, kHangTimeout};
  Millis now_{100'000};
  std::vector<int> kills_;
};

Vitals worker(int pid, Millis last_beat) { return {pid, last_beat, true, false}; }

TEST_F(HangPolicyTest, SteersAroundAWorkerThatIsSilentForLong) {
  const auto verdict = run_until(Millis{101'200}, {worker(1, kBeats), worker(2, Millis{100'000})});
  EXPECT_EQ(verdict.is_silent, (std::vector<bool>{false, true}));
  EXPECT_TRUE(kills_.empty());
}

TEST_F(HangPolicyTest, DoesNotSteerAroundAShortSilence) {
  const auto verdict = run_until(Millis{101'100}, {worker(1, kBeats), worker(2, Millis{100'000})});
  EXPECT_EQ(verdict.is_silent, (std::vector<bool>{false, false}));
}

TEST_F(HangPolicyTest, KillsAfterTheTimeout) {
  run_until(Millis{110'000}, {worker(1, kBeats), worker(2, Millis{100'000})});
  EXPECT_EQ(kills_, std::vector<int>{2});
}

TEST_F(HangPolicyTest, StartsTheMeasurementAnewWhenItWasStoppedItself) {
  run_until(Millis{100'500}, {worker(1, Millis{100'000})});
  now_ = Millis{115'500};
  const auto verdict = run_until(Millis{116'000}, {worker(1, Millis{100'000})});
  EXPECT_EQ(verdict.is_silent, std::vector<bool>{false});
  EXPECT_TRUE(kills_.empty());
}

TEST_F(HangPolicyTest, NeverKillsOneThatIsTraced) {
  Vitals traced = worker(2, Millis{100'000});
  traced.is_traced = true;
  const auto verdict = run_until(Millis{130'000}, {worker(1, kBeats), traced});
  EXPECT_TRUE(kills_.empty());
  EXPECT_TRUE(verdict.is_silent[1]);
}

TEST_F(HangPolicyTest, KillsTheStalestFirstAndAtMostOneASecond) {
  const Vitals stale = worker(2, Millis{99'900});
  run_until(Millis{109'900}, {worker(1, kBeats), stale, worker(3, Millis{99'000})});
  EXPECT_EQ(kills_, std::vector<int>{3});
  run_until(Millis{110'000}, {worker(1, kBeats), stale});
  EXPECT_EQ(kills_, (std::vector<int>{3, 2}));
}

TEST_F(HangPolicyTest, KillsOneAtATimeWhenNobodyIsHealthy) {
  run_until(Millis{118'000}, {worker(1, Millis{100'000}), worker(2, Millis{100'000})});
  EXPECT_EQ(kills_.size(), 1U);
}

TEST_F(HangPolicyTest, BelievesNoHeartbeatFromTheFuture) {
  const auto verdict = run_until(Millis{100'500}, {worker(1, Millis{900'000'000})});
  EXPECT_EQ(verdict.is_silent, std::vector<bool>{false});
}

}  // namespace
}  // namespace drover

#include "common/alarm.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

using Clock = std::chrono::steady_clock;

class AlarmTest : public testing::Test {
 protected:
  AlarmTest() { too_long_.start(base_.get(), Millis{10'000}, this); }

  // How long it takes until something rings.
  Clock::duration wait() {
    const auto from = Clock::now();
    event_base_dispatch(base_.get());
    return Clock::now() - from;
  }
  void on_ring() {
    ++rung_;
    event_base_loopbreak(base_.get());
  }
  void on_too_long() { event_base_loopbreak(base_.get()); }

  EventBase base_ = make_event_base();
  int rung_ = 0;
  Alarm<&AlarmTest::on_ring> alarm_{base_.get(), this};
  Timer<&AlarmTest::on_too_long> too_long_;
};

TEST_F(AlarmTest, RingsOnceForEachTimeItIsSetAndNeverEarly) {
  for (int i = 1; i <= 20; ++i) {
    alarm_.set(Millis{i}, Millis{0});
    EXPECT_GE(wait(), Millis{i});
    EXPECT_EQ(rung_, i);
  }
  event_base_loop(base_.get(), EVLOOP_NONBLOCK);
  EXPECT_EQ(rung_, 20);
}

TEST_F(AlarmTest, TakesAMillisecondAtLeast) {
  alarm_.set(Millis{0}, Millis{0});

  EXPECT_GE(wait(), Millis{1});
  EXPECT_EQ(rung_, 1);
}

TEST_F(AlarmTest, IsReplacedByAnEarlierOne) {
  alarm_.set(Millis{400}, Millis{0});
  alarm_.set(Millis{20}, Millis{0});

  EXPECT_LT(wait(), Millis{300});
  EXPECT_EQ(rung_, 1);
}

TEST_F(AlarmTest, StaysWhatItIsWhenALaterOneIsSet) {
  alarm_.set(Millis{20}, Millis{0});
  alarm_.set(Millis{400}, Millis{0});
  alarm_.set(Millis{9'000}, Millis{0});

  EXPECT_LT(wait(), Millis{300});
  EXPECT_EQ(rung_, 1);
}

TEST_F(AlarmTest, MayBeSetLaterWhenItHasRung) {
  alarm_.set(Millis{20}, Millis{0});
  wait();
  alarm_.set(Millis{60}, Millis{20});

  EXPECT_GE(wait(), Millis{40});
  EXPECT_EQ(rung_, 2);
}

TEST_F(AlarmTest, RingsEarlierThanWhatIsFar) {
  alarm_.set(Millis{9'000}, Millis{0});
  alarm_.set(Millis{700}, Millis{0});

  EXPECT_LT(wait(), Millis{5'000});
  alarm_.set(Millis{720}, Millis{700});
  EXPECT_LT(wait(), Millis{300});
  EXPECT_EQ(rung_, 2);
}

// libevent's clock may be a tick behind.
TEST_F(AlarmTest, RingsAlsoWhenItIsFar) {
  alarm_.set(Millis{700}, Millis{0});

  EXPECT_GE(wait(), Millis{690});
  EXPECT_EQ(rung_, 1);
}

}  // namespace
}  // namespace drover

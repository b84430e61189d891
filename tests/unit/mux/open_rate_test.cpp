// How fast a peer may open streams, also one that breaks each of them off at once.
#include "modules/mux/open_rate.h"

#include <gmock/gmock.h>

#include "tests/unit/mux/recorder.h"

namespace mux {
namespace {

std::uint32_t taken_of(OpenRate& rate, std::uint32_t tries, Time now) {
  std::uint32_t taken = 0;
  for (std::uint32_t i = 0; i < tries; ++i) taken += rate.take(now) ? 1 : 0;
  return taken;
}

TEST(OpenRate, TakesASecondsWorthAtOnceAndNoMore) {
  OpenRate rate(10, Time{5'000});

  EXPECT_EQ(taken_of(rate, 1'000, Time{5'000}), 10U);
}

TEST(OpenRate, OfZeroIsNoLimit) {
  OpenRate rate(0, Time{0});

  EXPECT_EQ(taken_of(rate, 100'000, Time{0}), 100'000U);
}

TEST(OpenRate, LosesNoPartOfATokenHoweverOftenItIsAsked) {
  OpenRate rate(3, Time{0});
  EXPECT_EQ(taken_of(rate, 10, Time{0}), 3U);
  std::uint32_t taken = 0;

  for (Time now{1}; now <= Time{10'000}; ++now) taken += taken_of(rate, 10, now);

  EXPECT_EQ(taken, 30U);
}

TEST(OpenRate, SavesNoMoreThanASecondHoweverLongNobodyOpens) {
  OpenRate rate(1'000'000, Time{0});
  EXPECT_EQ(taken_of(rate, 1'000'001, Time{0}), 1'000'000U);

  EXPECT_EQ(taken_of(rate, 1'000'001, Time{std::int64_t{1} << 60}), 1'000'000U);
}

TEST(OpenRate, GivesNothingWhenTheClockGoesBack) {
  OpenRate rate(10, Time{5'000});
  EXPECT_EQ(taken_of(rate, 20, Time{5'000}), 10U);

  EXPECT_EQ(taken_of(rate, 20, Time{1'000}), 0U);
}

namespace from_a_peer {

using namespace testing;

using OpenAndReset = YamuxTest;

// Such streams are never many at a time: only the rate stops them.
TEST_F(OpenAndReset, IsHeldToTheRate) {
  limits.opens_per_second = 10;
  session();
  for (std::uint32_t id = 1; id < 2'001; id += 2)
    receive(update(yamux::kSyn, id) + update(yamux::kRst, id));

  EXPECT_EQ(worker.counts.streams_reset, 10U);
  EXPECT_EQ(worker.counts.streams_over_rate, 990U);
  EXPECT_EQ(session().streams(), 0U);
  now += Time{500};
  for (std::uint32_t id = 3'001; id < 3'201; id += 2)
    receive(update(yamux::kSyn, id) + update(yamux::kRst, id));
  EXPECT_EQ(worker.counts.streams_reset, 15U);
  EXPECT_EQ(session().ending(), Ending::kNone);
}

// What we say about them is not read: it is bounded, and the peer is read no more.
TEST_F(OpenAndReset, ByAPeerThatDoesNotReadStopsTheReading) {
  std::uint32_t id = 1;
  for (; session().reads() && id < 200'000; id += 2)
    receive(update(yamux::kSyn, id) + update(yamux::kRst, id));

  EXPECT_FALSE(session().reads());
  EXPECT_LT(output().size(), std::size_t{128} << 10);
  EXPECT_TRUE(session().reads());
  EXPECT_EQ(session().streams(), 0U);
}

}  // namespace from_a_peer
}  // namespace
}  // namespace mux

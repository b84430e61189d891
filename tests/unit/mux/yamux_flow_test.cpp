// Whose turn it is, how windows are given, and what time does.
#include <gmock/gmock.h>

#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class YamuxTurns : public YamuxTest {};

TEST_F(YamuxTurns, SmallAnswersPassABulkStream) {
  Stream& bulk = opened(1);
  for (std::uint32_t id = 3; id < 203; id += 2) opened(id);
  session().write(bulk, std::string(64 << 10, 'x'));
  for (std::uint32_t id = 3; id < 203; id += 2) session().write(stream(id), "small");
  const Words words = sent();
  ASSERT_EQ(words.size(), 104U);
  EXPECT_EQ(words[0], "data 1 16384");
  EXPECT_EQ(words[1], "data 3 5");
  EXPECT_EQ(words[100], "data 201 5");
  EXPECT_EQ(words[101], "data 1 16384");
}

TEST_F(YamuxTurns, TwoBulkStreamsAlternate) {
  opened(1);
  opened(3);
  session().write(stream(1), std::string(32 << 10, 'x'));
  session().write(stream(3), std::string(32 << 10, 'x'));
  EXPECT_THAT(sent(), ElementsAre("data 1 16384", "data 3 16384", "data 1 16384", "data 3 16384"));
}

TEST_F(YamuxTurns, ControlFramesAndPongsPassData) {
  session().write(opened(1), std::string(32 << 10, 'x'));
  EXPECT_EQ(words_of(output(1)), Words{"data 1 16384"});
  receive(update(yamux::kSyn, 3) + ping(yamux::kSyn, 7));
  EXPECT_THAT(sent(), ElementsAre("ping ACK 7", "update ACK 3 +0", "data 1 16384"));
}

TEST_F(YamuxTurns, SendNoMoreThanOneFrameBeyondTheRoom) {
  session().write(opened(1), std::string(64 << 10, 'x'));
  EXPECT_EQ(output(20'000).size(), 2 * (kLargestDataFrame + yamux::kHeadBytes));
  EXPECT_THAT(output(0), IsEmpty());
}

class YamuxWindows : public YamuxTest {
 protected:
  void fill_and_consume(std::uint32_t id, std::size_t size_bytes) {
    receive(data(0, id, std::string(size_bytes, 'x')));
    consume(id, size_bytes);
  }
};

TEST_F(YamuxWindows, AreRenewedWhenHalfIsConsumed) {
  opened(1);
  now += Time{1000};
  receive(data(0, 1, std::string(kFirstWindow, 'x')));
  consume(1, kFirstWindow / 2 - 1);
  EXPECT_THAT(sent(), IsEmpty());
  consume(1, 1);
  EXPECT_THAT(sent(), ElementsAre("update 1 +131072"));
  consume(1, kFirstWindow / 2);
  EXPECT_EQ(worker.counts.windows_grown, 1U);  // the second half went in no time
}

TEST_F(YamuxWindows, GrowWhenTheyAreUsedUpFast) {
  opened(1);
  fill_and_consume(1, kFirstWindow / 2);
  EXPECT_THAT(sent(), ElementsAre("update 1 +393216"));
  EXPECT_EQ(stream(1).window, 2 * kFirstWindow);
  EXPECT_EQ(worker.window_used, kFirstWindow);
  receive(data(0, 1, std::string(2 * kFirstWindow, 'x')));
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST_F(YamuxWindows, StayWhenTheyAreUsedUpSlowly) {
  opened(1);
  for (int i = 0; i < 8; ++i) {
    now += limits.window_span + Time{1};
    fill_and_consume(1, kFirstWindow / 2);
  }
  EXPECT_EQ(stream(1).window, kFirstWindow);
  EXPECT_EQ(worker.window_used, 0U);
}

TEST_F(YamuxWindows, GrowUpToTheMost) {
  opened(1);
  for (int i = 0; i < 100; ++i) fill_and_consume(1, kFirstWindow / 2);
  EXPECT_EQ(stream(1).window, limits.max_window);
}

TEST_F(YamuxWindows, GrowWithinTheBudgetAndGiveItBack) {
  worker.window_limit = kFirstWindow + 1000;
  opened(1);
  opened(3);
  fill_and_consume(1, kFirstWindow / 2);
  fill_and_consume(3, kFirstWindow / 2);
  EXPECT_EQ(worker.window_used, worker.window_limit);
  EXPECT_EQ(stream(3).window, kFirstWindow + 1000);
  session().close(stream(1), false, now);
  EXPECT_EQ(worker.window_used, 1000U);
}

TEST_F(YamuxWindows, AreNotRenewedAfterThePeersEnd) {
  opened(1);
  receive(data(yamux::kFin, 1, std::string(kFirstWindow, 'x')));
  consume(1, kFirstWindow);
  EXPECT_THAT(sent(), IsEmpty());
}

class YamuxTimers : public YamuxTest {
 protected:
  void wake_after(Time span) {
    session();  // begins before the span
    now += span;
    session().wake(now);
  }
};

TEST_F(YamuxTimers, AskAPeerThatIsQuiet) {
  EXPECT_EQ(session().wake_at(), now + limits.keepalive);
  wake_after(limits.keepalive);
  EXPECT_THAT(sent(), ElementsAre("ping SYN 0"));
  EXPECT_EQ(session().wake_at(), now + limits.keepalive);
  wake_after(limits.keepalive);
  EXPECT_THAT(sent(), ElementsAre("ping SYN 1"));
}

// It need not say anything while it reads; the answer shows that it lives.
TEST_F(YamuxTimers, AskAPeerThatOnlyReads) {
  Stream& stream = opened(1);
  for (int i = 0; i < 10; ++i) {
    now += limits.keepalive / 10;
    session().write(stream, "x");
    output();
  }
  session().wake(now);
  EXPECT_THAT(sent(), ElementsAre("ping SYN 0"));
}

TEST_F(YamuxTimers, DoNotAskWhereThereIsTraffic) {
  Stream& stream = opened(1);
  now += limits.keepalive / 2;
  receive(data(0, 1, "x"));
  session().write(stream, "x");
  output();
  wake_after(limits.keepalive / 2);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(YamuxTimers, DoNotSpinWhenNothingCanBeSent) {
  wake_after(limits.keepalive);
  EXPECT_GT(*session().wake_at(), now);
}

TEST_F(YamuxTimers, EndWithASilentPeer) {
  wake_after(limits.silence - Time{1});
  EXPECT_EQ(session().ending(), Ending::kNone);
  wake_after(Time{1});
  EXPECT_EQ(session().ending(), Ending::kSilent);
  EXPECT_EQ(worker.counts.silent_peers, 1U);
  EXPECT_EQ(session().wake_at(), std::nullopt);
}

TEST_F(YamuxTimers, AnyTrafficIsLife) {
  wake_after(limits.silence - Time{1});
  receive(std::string(1, '\0'));
  wake_after(limits.silence - Time{1});
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST_F(YamuxTimers, AreOffWhenTheyAreZero) {
  limits.keepalive = limits.silence = Time{0};
  EXPECT_EQ(session().wake_at(), std::nullopt);
  wake_after(Time{1'000'000'000});
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(YamuxTimers, KnowTheEarliestOfManyLingers) {
  limits.keepalive = limits.silence = Time{0};
  limits.half_closed_linger = Time{100};
  for (std::uint32_t id = 1; id < 20; id += 2) opened(id);
  for (std::uint32_t id = 1; id < 20; id += 2) {
    session().close(stream(id), true, now);
    now += Time{10};
  }
  output();
  EXPECT_EQ(session().wake_at(), now);
  wake_after(Time{5});
  EXPECT_THAT(sent(), ElementsAre("update RST 1 +0"));
  EXPECT_EQ(session().wake_at(), now + Time{5});
  receive(update(yamux::kFin, 3));
  EXPECT_EQ(session().wake_at(), now + Time{15});
}

}  // namespace
}  // namespace mux::testing

// A yamux session as its peer sees it, frame by frame.
#include <gmock/gmock.h>

#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
using namespace std::string_literals;

class YamuxStreams : public YamuxTest {};

TEST_F(YamuxStreams, AcknowledgesAStreamOnce) {
  receive(update(yamux::kSyn, 1) + data(0, 1, "hello"));
  EXPECT_THAT(owner.taken(), ElementsAre("opened 1", "data 1 5"));
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0"));
  session().write(stream(1), "yes");
  EXPECT_THAT(sent(), ElementsAre("data 1 3"));
}

TEST_F(YamuxStreams, AreAcknowledgedTogetherWithTheAnswer) {
  receive(update(yamux::kSyn, 1) + data(0, 1, "ask"));
  EXPECT_FALSE(session().has_output());
  session().write(stream(1), "answer");
  EXPECT_TRUE(session().has_output());
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "data 1 6"));
  EXPECT_GT(session().wake_at(), now + kNoticeDelay);
}

TEST_F(YamuxStreams, AreAcknowledgedSoonWithoutAnAnswer) {
  receive(update(yamux::kSyn, 1));
  now += Time{5};
  receive(update(yamux::kSyn, 3));
  EXPECT_FALSE(session().has_output());
  now += kNoticeDelay - Time{5};
  EXPECT_EQ(session().wake_at(), now);
  session().wake(now);
  EXPECT_TRUE(session().has_output());
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "update ACK 3 +0"));
}

// A client opens 256 that are not acknowledged.
TEST_F(YamuxStreams, AreAcknowledgedAtOnceWhenTheyAreMany) {
  for (std::uint32_t i = 0; i < kMostNotices; ++i) {
    EXPECT_FALSE(session().has_output()) << i;
    receive(update(yamux::kSyn, 2 * i + 1));
  }
  EXPECT_TRUE(session().has_output());
  EXPECT_EQ(sent().size(), kMostNotices);
}

TEST_F(YamuxStreams, AreAcknowledgedBeforeTheEndOfTheSession) {
  receive(update(yamux::kSyn, 1));
  session().drain(now);
  session().close(stream(1), false, now);
  EXPECT_EQ(session().ending(), Ending::kDone);
  EXPECT_TRUE(session().has_output());
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "go away 0", "update RST 1 +0"));
}

TEST_F(YamuxStreams, AreOpenedByDataToo) {
  receive(data(yamux::kSyn, 1, "hello"));
  EXPECT_THAT(owner.taken(), ElementsAre("opened 1", "data 1 5"));
  EXPECT_EQ(owner.received[1], "hello");
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0"));
}

TEST_F(YamuxStreams, TakeAWholeConversationInOneFrame) {
  receive(data(yamux::kSyn | yamux::kFin, 1, "hello"));
  EXPECT_THAT(owner.taken(), ElementsAre("opened 1", "data 1 5", "ended 1"));
  session().write(stream(1), "answer");
  session().close(stream(1), true, now);
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "data 1 6", "update FIN 1 +0"));
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(YamuxStreams, SayTheirEndAfterTheLastByteAndOnce) {
  Stream& stream = opened(1);
  session().write(stream, "answer");
  session().end(stream);
  session().end(stream);
  EXPECT_EQ(session().write(stream, "late"), 0U);
  EXPECT_THAT(sent(), ElementsAre("data 1 6", "update FIN 1 +0"));
  session().end(stream);
  session().close(stream, true, now);
  EXPECT_THAT(sent(), IsEmpty());
}

TEST_F(YamuxStreams, AreAcknowledgedBeforeTheyAreBrokenOff) {
  receive(update(yamux::kSyn, 1));
  session().close(stream(1), false, now);
  EXPECT_THAT(sent(), ElementsAre("update ACK 1 +0", "update RST 1 +0"));
}

TEST_F(YamuxStreams, AreRefusedWithAReset) {
  owner.accepts = false;
  receive(data(yamux::kSyn, 1, "hello") + data(0, 1, "more"));
  EXPECT_THAT(owner.taken(), IsEmpty());
  EXPECT_THAT(sent(), ElementsAre("update RST 1 +0"));
  EXPECT_EQ(worker.counts.streams_refused, 1U);
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST_F(YamuxStreams, IgnoreWhatComesAfterTheirEnd) {
  Stream& stream = opened(1);
  receive(update(yamux::kFin, 1) + data(0, 1, "late") + update(yamux::kFin, 1) +
          ping(yamux::kSyn, 7));
  EXPECT_THAT(owner.taken(), ElementsAre("ended 1"));
  EXPECT_THAT(sent(), ElementsAre("ping ACK 7"));
  session().close(stream, true, now);
}

TEST_F(YamuxStreams, IgnoreLateFramesAfterAReset) {
  session().close(opened(1), false, now);
  output();
  receive(data(0, 1, "late") + update(0, 1, 5) + update(yamux::kFin, 1) + update(yamux::kRst, 1));
  EXPECT_THAT(owner.taken(), IsEmpty());
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_EQ(worker.counts.streams_reset, 0U);
}

TEST_F(YamuxStreams, DropWhatWaitsWhenThePeerResets) {
  session().write(opened(1), "answer");
  receive(update(yamux::kRst, 1));
  EXPECT_THAT(owner.taken(), ElementsAre("broken 1"));
  EXPECT_THAT(sent(), IsEmpty());
  EXPECT_FALSE(session().has_output());
  EXPECT_EQ(worker.memory_used, 0U);
  EXPECT_EQ(worker.counts.streams_reset, 1U);
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(YamuxStreams, SkipThePayloadOfAReset) {
  opened(1);
  receive(data(yamux::kRst, 1, "gone") + ping(yamux::kSyn, 7));
  EXPECT_THAT(owner.taken(), ElementsAre("broken 1"));
  EXPECT_THAT(sent(), ElementsAre("ping ACK 7"));
}

TEST_F(YamuxStreams, SkipThePayloadOfNumbersThatNobodyKnows) {
  opened(1);
  receive(data(0, 1, "known") + data(0, 99, "not") + data(yamux::kFin, 99, "not") +
          data(0, 1, "!"));
  EXPECT_THAT(owner.taken(), ElementsAre("data 1 6"));
  EXPECT_EQ(owner.received[1], "known!");
}

TEST_F(YamuxStreams, MayUseANumberAgainWhenBothEndsAreSaid) {
  Stream& first = opened(1);
  session().end(first);
  receive(data(yamux::kFin, 1, "old"));
  output();
  receive(data(yamux::kSyn, 1, "new"));
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_EQ(session().streams(), 2U);
  EXPECT_NE(&stream(1), &first);
  session().consumed(first, 3, now);
  session().close(first, true, now);
  EXPECT_EQ(session().streams(), 1U);
  EXPECT_EQ(worker.memory_used, 3U);
}

TEST_F(YamuxStreams, GoOnCreditingWhenTheOwnerHasLeft) {
  session().close(opened(1), true, now);
  EXPECT_THAT(sent(), ElementsAre("update FIN 1 +0"));
  const std::string half(128 << 10, 'x');
  receive(data(0, 1, half));
  EXPECT_THAT(sent(), ElementsAre("update 1 +131072"));
  EXPECT_EQ(worker.memory_used, 0U);
  EXPECT_THAT(owner.taken(), IsEmpty());
  receive(update(yamux::kFin, 1));
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(YamuxStreams, CreditWhatTheOwnerLeftUnread) {
  Stream& stream = opened(1);
  receive(data(0, 1, std::string(200 << 10, 'x')));
  session().close(stream, true, now);
  EXPECT_THAT(sent(), ElementsAre("update 1 +204800", "update FIN 1 +0"));
}

TEST_F(YamuxStreams, AreResetWhenThePeerLingers) {
  session().close(opened(1), true, now);
  output();
  now += limits.half_closed_linger - Time{1};
  session().wake(now);
  EXPECT_THAT(sent(), Not(Contains("update RST 1 +0")));
  now += Time{1};
  session().wake(now);
  EXPECT_THAT(sent(), Contains("update RST 1 +0"));
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(YamuxStreams, OfOurOwnAreOddForAClientAndEvenForAServer) {
  for (const Role side : {Role::kServer, Role::kClient}) {
    auto mine = make_session(Protocol::kYamux, side, limits, worker, owner, now);
    const std::uint32_t first = side == Role::kClient ? 1 : 2;
    EXPECT_EQ(mine->open(now)->id, first);
    EXPECT_EQ(mine->open(now)->id, first + 2);
    std::string out;
    mine->send(out, 1000, now);
    EXPECT_EQ(words_of(out).front(), "update SYN " + std::to_string(first) + " +0");
  }
}

TEST_F(YamuxStreams, OfOurOwnAreNotOpenedAfterThePeersGoAway) {
  EXPECT_NE(session().open(now), nullptr);
  receive(go_away(yamux::kNormal));
  EXPECT_EQ(session().open(now), nullptr);
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST_F(YamuxStreams, StopAtThePeersWindow) {
  limits.max_stream_output = 1 << 20;
  Stream& stream = opened(1);
  session().write(stream, std::string(kFirstWindow + 10, 'x'));
  std::size_t payload = 0;
  for (const std::string& word : sent()) payload += std::stoul(word.substr(word.rfind(' ')));
  EXPECT_EQ(payload, kFirstWindow);
  EXPECT_FALSE(session().has_output());
  receive(update(0, 1, 4));
  EXPECT_THAT(sent(), ElementsAre("data 1 4"));
  session().end(stream);
  receive(update(0, 1, 100));
  EXPECT_THAT(sent(), ElementsAre("data 1 6", "update FIN 1 +0"));
}

TEST_F(YamuxStreams, BeginWithTheWindowThatTheOpeningGives) {
  receive(update(yamux::kSyn, 1, 16));
  EXPECT_EQ(stream(1).allowed, kFirstWindow + 16);
}

TEST_F(YamuxStreams, IgnoreFlagsThatNobodyKnows) {
  receive(update(yamux::kSyn | 0x70, 1) + data(0xff00, 1, "x"));
  EXPECT_THAT(owner.taken(), ElementsAre("opened 1", "data 1 1"));
}

struct Fault {
  const char* name;
  std::string bytes;  // of a peer that has opened stream 1
  const char* error;
};

class YamuxFault : public YamuxTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(YamuxFault, EndsTheSessionWithAGoAway) {
  session().write(opened(1), "unsent");
  receive(GetParam().bytes);
  EXPECT_EQ(session().ending(), Ending::kProtocolError);
  EXPECT_STREQ(session().error(), GetParam().error);
  EXPECT_EQ(worker.counts.protocol_errors, 1U);
  EXPECT_THAT(sent(), ElementsAre("go away 1"));
  const Words before = owner.events;
  receive(update(yamux::kSyn, 3));
  EXPECT_EQ(owner.events, before);
  EXPECT_FALSE(session().has_output());
}

INSTANTIATE_TEST_SUITE_P(
    Table, YamuxFault,
    ::testing::Values(Fault{"Version", "\x01"s + std::string(11, '\0'), "unknown version"},
                      Fault{"Type", "\0\x04"s + std::string(10, '\0'), "unknown type"},
                      Fault{"SynOfALiveStream", update(yamux::kSyn, 1), "a stream opened twice"},
                      Fault{"EvenNumber", update(yamux::kSyn, 2), "a stream with a number of ours"},
                      Fault{"NumberZero", update(yamux::kSyn, 0), "a stream with a number of ours"},
                      Fault{"SynWithMoreThanTheWindow",
                            frame(yamux::Type::kData, yamux::kSyn, 3, kFirstWindow + 1),
                            "data beyond the window"},
                      Fault{"DataBeyondTheWindow",
                            frame(yamux::Type::kData, 0, 1, kFirstWindow + 1),
                            "data beyond the window"},
                      Fault{"OneByteBeyond",
                            data(0, 1, std::string(kFirstWindow, 'x')) + data(0, 1, "x"),
                            "data beyond the window"},
                      Fault{"CreditOverflow", update(0, 1, 0xffff'ffff - kFirstWindow + 1),
                            "credit beyond what can be counted"},
                      Fault{"CreditOverflowInTheOpening", update(yamux::kSyn, 3, 0xffff'ffff),
                            "credit beyond what can be counted"}),
    [](const auto& row) { return row.param.name; });

TEST_F(YamuxStreams, TakeAllTheCreditThatCanBeCounted) {
  opened(1);
  receive(update(0, 1, 0xffff'ffff - kFirstWindow));
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_EQ(stream(1).allowed, 0xffff'ffffU);
}

TEST_F(YamuxStreams, EndWithThePeersOtherGoAways) {
  receive(go_away(yamux::kInternalError));
  EXPECT_EQ(session().ending(), Ending::kPeer);
  EXPECT_EQ(worker.counts.protocol_errors, 0U);
}

TEST_F(YamuxStreams, AreRefusedWhileDraining) {
  Stream& stream = opened(1);
  session().drain(now);
  receive(update(yamux::kSyn, 3));
  EXPECT_THAT(sent(), ElementsAre("go away 0", "update RST 3 +0"));
  EXPECT_EQ(session().open(now), nullptr);
  EXPECT_EQ(session().ending(), Ending::kNone);
  receive(data(yamux::kFin, 1, "still"));
  session().write(stream, "answered");
  session().close(stream, true, now);
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_THAT(sent(), ElementsAre("data 1 8", "update FIN 1 +0"));
  EXPECT_EQ(session().ending(), Ending::kDone);
}

TEST_F(YamuxStreams, AreBrokenOffByACut) {
  session().write(opened(1), "unsent");
  session().close(opened(3), true, now);
  owner.taken();
  session().cut(now);
  EXPECT_THAT(owner.taken(), ElementsAre("broken 1"));
  EXPECT_THAT(sent(), UnorderedElementsAre("go away 0", "update RST 1 +0", "update RST 3 +0"));
  EXPECT_EQ(session().ending(), Ending::kDone);
  EXPECT_EQ(session().streams(), 0U);
}

}  // namespace
}  // namespace mux::testing

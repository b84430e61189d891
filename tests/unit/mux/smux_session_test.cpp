// The session of monochromegane/smux: the frames are those of its Go client, captured.
#include "modules/mux/smux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux {
namespace {

using testing::bytes_of;
using testing::hex_of;
using testing::Kind;
using testing::Peer;

constexpr auto kHello = "0005 00 01 00000001 68656c6c6f";
constexpr auto kEndOf1 = "0000000100000001";

struct Frames {
  std::vector<std::size_t> sizes;
  std::size_t ends = 0;
  std::size_t bytes = 0;
  bool ends_last = false;
};

Frames frames_in(std::string_view out) {
  Frames frames;
  while (out.size() >= smux::kHeadBytes) {
    const auto head = smux::head_at(out);
    frames.sizes.push_back(head.length);
    frames.bytes += head.length;
    frames.ends_last = head.flag == 1;
    frames.ends += head.flag;
    out.remove_prefix(smux::kHeadBytes + head.length);
  }
  EXPECT_TRUE(out.empty());
  return frames;
}

struct SmuxSessionTest : ::testing::Test {
  Session& session() { return *peer.session; }
  // As much as is taken, again and again.
  std::string answer_with(std::size_t size) {
    const std::string all(size, 'a');
    std::string out;
    for (std::size_t done = 0; done < size;) {
      const std::size_t taken = session().write(peer.stream(1), std::string_view(all).substr(done));
      out += peer.output();
      if (taken == 0 && !peer.session->has_output()) break;
      done += taken;
    }
    session().end(peer.stream(1));
    return out + peer.output();
  }
  Peer peer{Kind::kSmux};
};

TEST_F(SmuxSessionTest, FirstDataOpenAStream) {
  peer.receive(kHello);

  EXPECT_EQ(peer.listener.said[1], "<hello.");
  EXPECT_EQ(peer.output_hex(), "");
}

TEST_F(SmuxSessionTest, EveryCutGivesTheSame) {
  const std::string bytes = bytes_of(
      "0003 07 00 00000001 616263 0002 00 01 00000003 7879 0000 00 01 00000001 0001 00 03 "
      "00000005 7a 0000 00 01 00000009");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Peer one(Kind::kSmux);
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      one.session->receive(bytes.substr(at, piece), one.now);
    const std::map<std::uint32_t, std::string> expected{{1, "<abc."}, {3, "<xy."}, {5, "<z"}};
    EXPECT_EQ(one.listener.said, expected) << piece;
  }
}

TEST_F(SmuxSessionTest, EmptyFramesOfNobodyAreIgnored) {
  peer.receive("0000 00 01 00000007 0000 00 00 00000009");

  EXPECT_EQ(peer.listener.opens, 0U);
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxSessionTest, AnAnswerWaitsForTheEndOfBoth) {
  peer.receive("0002 00 00 00000001 6869");
  session().write(peer.stream(1), "yes");
  EXPECT_FALSE(session().has_output());
  session().end(peer.stream(1));
  EXPECT_FALSE(session().has_output());

  peer.receive("0000 00 01 00000001");

  EXPECT_EQ(peer.output_hex(), "0003000100000001796573");
  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxSessionTest, AnAnswerWaitsForItsOwnEnd) {
  peer.receive(kHello);

  session().write(peer.stream(1), "yes");

  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxSessionTest, AnEmptyAnswerIsAnEmptyEnd) {
  peer.receive(kHello);

  session().end(peer.stream(1));

  EXPECT_EQ(peer.output_hex(), kEndOf1);
}

TEST_F(SmuxSessionTest, AnAnswerTakesTenFramesAtMost) {
  for (const std::size_t size : {1UL, 16'384UL, 16'385UL, 163'840UL, 163'841UL, 655'350UL}) {
    Peer one(Kind::kSmux);
    one.receive(kHello);
    ASSERT_EQ(one.session->write(one.stream(1), std::string(size, 'a')), size);
    one.session->end(one.stream(1));
    const Frames frames = frames_in(one.output());
    EXPECT_LE(frames.sizes.size(), 10U) << size;
    EXPECT_EQ(frames.sizes[0], std::min(size, size <= 163'840 ? 16'384UL : 65'535UL));
    EXPECT_EQ(frames.bytes, size);
    EXPECT_EQ(frames.ends, 1U);
    EXPECT_TRUE(frames.ends_last);
  }
}

TEST_F(SmuxSessionTest, ALongerAnswerGoesAsItComesInFullFrames) {
  peer.receive(kHello);

  const Frames frames = frames_in(answer_with(3'000'000));

  EXPECT_EQ(frames.bytes, 3'000'000U);
  for (std::size_t i = 0; i + 1 < frames.sizes.size(); ++i) EXPECT_EQ(frames.sizes[i], 65'535U);
  EXPECT_EQ(frames.ends, 1U);
  EXPECT_TRUE(frames.ends_last);
}

TEST_F(SmuxSessionTest, AnUnfinishedRequestIsNotAnsweredEvenAtLength) {
  peer.receive("0002 00 00 00000001 6869");

  EXPECT_LT(session().write(peer.stream(1), std::string(3'000'000, 'a')), 3'000'000U);
  EXPECT_FALSE(session().has_output());
  peer.receive("0000 00 01 00000001");
  EXPECT_TRUE(session().has_output());
  (void)peer.output();
  EXPECT_EQ(peer.listener.writables.count(&peer.stream(1)), 1U);
}

TEST_F(SmuxSessionTest, StreamsTakeTurnsByFrames) {
  peer.receive("0001 00 01 00000001 61 0001 00 01 00000003 62");
  for (const std::uint32_t id : {1U, 3U}) {
    session().write(peer.stream(id), std::string(40'000, 'a'));
    session().end(peer.stream(id));
  }

  std::vector<std::uint32_t> order;
  while (session().has_output()) {
    std::string out;
    session().send(out, 1, peer.now);
    order.push_back(smux::head_at(out).id);
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 3, 1, 3, 1, 3}));
}

TEST_F(SmuxSessionTest, ANumberIsFreeForANewRequestWhenItsAnswerIsComplete) {
  peer.receive(kHello);
  Stream& first = peer.stream(1);
  session().write(first, "one");
  session().end(first);
  (void)peer.output();

  peer.receive("0002 00 01 00000001 6869");
  ASSERT_NE(&peer.stream(1), &first);
  session().close(first, true, peer.now);
  session().write(peer.stream(1), "two");
  session().end(peer.stream(1));

  EXPECT_EQ(peer.listener.said[1], "<hello.<hi.");
  EXPECT_EQ(peer.output_hex(), "000300010000000174776f");
  session().close(peer.stream(1), true, peer.now);
  EXPECT_EQ(session().streams(), 0U);
}

TEST_F(SmuxSessionTest, DataAfterTheEndAreAnErrorWhileTheAnswerIsDue) {
  peer.receive(kHello);

  peer.receive("0001 00 01 00000001 61");

  EXPECT_EQ(session().ending(), Ending::kProtocolError);
  EXPECT_STREQ(session().error(), "data after the end of a request");
  EXPECT_EQ(peer.listener.said[1], "<hello.");
  EXPECT_EQ(peer.worker.counts.protocol_errors, 1U);
  EXPECT_EQ(peer.output_hex(), kEndOf1);
  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxSessionTest, ARefusedStreamIsEndedAndSkippedUntilItsEnd) {
  peer.listener.refuses = true;
  peer.receive("0002 00 00 00000001 6869");
  EXPECT_EQ(peer.output_hex(), kEndOf1);
  peer.listener.refuses = false;

  peer.receive("0002 00 00 00000001 6869 0002 00 01 00000001 6869");
  EXPECT_EQ(peer.listener.opens, 0U);
  peer.receive(kHello);

  EXPECT_EQ(peer.listener.said[1], "<hello.");
  EXPECT_EQ(peer.worker.counts.streams_refused, 1U);
}

TEST_F(SmuxSessionTest, ABrokenStreamIsEndedAndSkippedUntilItsEnd) {
  peer.receive("0002 00 00 00000001 6869");
  session().write(peer.stream(1), "never sent");
  session().close(peer.stream(1), false, peer.now);

  EXPECT_EQ(peer.output_hex(), kEndOf1);
  peer.receive("0002 00 01 00000001 6869");
  EXPECT_EQ(peer.listener.opens, 1U);
  EXPECT_EQ(session().streams(), 0U);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxSessionTest, AStreamBrokenInsideAFrameIsSkippedToItsEnd) {
  peer.receive("0004 00 01 00000001 6869");
  session().close(peer.stream(1), false, peer.now);

  peer.receive("6a6b 0001 00 01 00000001 7a");

  EXPECT_EQ(peer.listener.said[1], "<hi<z.");
}

TEST_F(SmuxSessionTest, RequestsThatNeverEndAfterARefusalAreBounded) {
  peer.limits.max_streams = 100;
  peer.listener.refuses = true;
  for (std::uint32_t i = 0; i < 101; ++i) {
    std::string bytes;
    smux::append_head(bytes, {.length = 1, .id = 2 * i + 1});
    session().receive(bytes + "x", peer.now);
    (void)peer.output();
  }

  EXPECT_EQ(session().ending(), Ending::kProtocolError);
}

TEST_F(SmuxSessionTest, EndsThatAreNotReadStopTheReadingAndThenTheSession) {
  peer.listener.refuses = true;
  std::string bytes;
  for (std::uint32_t i = 0; i < 200'000; ++i) bytes += bytes_of("0001 00 01 00000001 61");

  session().receive(std::string_view(bytes).substr(0, 9 * 9'000), peer.now);
  EXPECT_EQ(session().ending(), Ending::kNone);
  EXPECT_FALSE(session().reads());
  session().receive(bytes, peer.now);

  EXPECT_EQ(session().ending(), Ending::kProtocolError);
  EXPECT_LT(peer.output().size(), 1'100'000U);
}

TEST_F(SmuxSessionTest, TooManyStreamsAreRefused) {
  peer.limits.max_streams = 1;

  peer.receive(kHello);
  peer.receive("0001 00 01 00000003 61");

  EXPECT_EQ(peer.listener.opens, 1U);
  EXPECT_EQ(peer.output_hex(), "0000000100000003");
  EXPECT_EQ(peer.worker.counts.streams_refused, 1U);
}

TEST(SmuxSessionRate, OpensBeyondTheRateAreRefused) {
  Peer peer(Kind::kSmux, Role::kServer, Limits{.opens_per_second = 2});
  const auto open = [&peer](std::uint32_t id) {
    std::string bytes;
    smux::append_head(bytes, {.length = 1, .flag = 1, .id = id});
    peer.session->receive(bytes + "x", peer.now);
  };

  for (const std::uint32_t id : {1U, 3U, 5U}) open(id);
  EXPECT_EQ(peer.listener.opens, 2U);
  EXPECT_EQ(peer.worker.counts.streams_over_rate, 1U);
  peer.now += Time{500};
  for (const std::uint32_t id : {7U, 9U}) open(id);

  EXPECT_EQ(peer.listener.opens, 3U);
}

TEST_F(SmuxSessionTest, InputAtTheLimitStopsTheReadingAndBreaksNothingOff) {
  peer.limits.max_session_input = 1'000;
  std::string bytes;
  smux::append_head(bytes, {.length = 2'000, .id = 1});
  session().receive(bytes + std::string(600, 'a'), peer.now);
  EXPECT_TRUE(session().reads());

  session().receive(std::string(600, 'a'), peer.now);

  EXPECT_FALSE(session().reads());
  EXPECT_EQ(peer.listener.got, 1'200U);
  EXPECT_EQ(peer.worker.counts.streams_over_memory, 0U);
  session().consumed(peer.stream(1), 700, peer.now);
  EXPECT_TRUE(session().reads());
}

TEST_F(SmuxSessionTest, WhatIsConsumedIsReadAgain) {
  peer.limits.max_session_input = 5;
  peer.receive(kHello);
  EXPECT_FALSE(session().reads());

  session().consumed(peer.stream(1), 5, peer.now);

  EXPECT_TRUE(session().reads());
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxSessionTest, HeldAnswersThatFillTheSessionLeaveBeforeTheRequestsEnd) {
  peer.limits.max_session_output = 1'000;
  peer.receive("0001 00 00 00000001 61 0001 00 00 00000003 61");
  EXPECT_EQ(session().write(peer.stream(1), std::string(900, 'a')), 900U);

  EXPECT_EQ(session().write(peer.stream(3), std::string(900, 'b')), 100U);

  EXPECT_TRUE(session().has_output());
  EXPECT_EQ(frames_in(peer.output()).bytes, 100U);
}

TEST_F(SmuxSessionTest, ADrainServesWhatComesAndEndsOnlyByTheCut) {
  peer.receive(kHello);
  session().drain(peer.now);
  peer.receive("0001 00 01 00000003 61");
  for (const std::uint32_t id : {1U, 3U}) session().close(peer.stream(id), true, peer.now);
  EXPECT_EQ(frames_in(peer.output()).ends, 2U);
  EXPECT_EQ(session().streams(), 0U);
  EXPECT_EQ(session().ending(), Ending::kNone);

  session().cut(peer.now);

  EXPECT_EQ(session().ending(), Ending::kDone);
  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxSessionTest, ACutEndsEveryStream) {
  peer.receive(kHello);
  session().write(peer.stream(1), "half an answer");

  session().cut(peer.now);

  EXPECT_EQ(peer.listener.said[1], "<hello.!");
  EXPECT_EQ(peer.output_hex(), kEndOf1);
  EXPECT_EQ(session().ending(), Ending::kDone);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxSessionTest, WhatAnOwnerLeavesBehindLingersOnlySoLong) {
  peer.receive("0002 00 00 00000001 6869");
  session().write(peer.stream(1), "answer");
  session().close(peer.stream(1), true, peer.now);
  EXPECT_FALSE(session().has_output());

  peer.pass(peer.limits.half_closed_linger - Time{1});
  EXPECT_EQ(session().streams(), 1U);
  peer.pass(Time{1});

  EXPECT_EQ(session().streams(), 0U);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxSessionTest, AServerOpensNothing) { EXPECT_EQ(session().open(peer.now), nullptr); }

TEST_F(SmuxSessionTest, SilenceEndsNoSession) {
  peer.pass(Time{1'000'000});

  EXPECT_FALSE(session().wake_at());
  EXPECT_EQ(session().ending(), Ending::kNone);
}

TEST(SmuxClient, CutsARequestAsTheGoClientDoes) {
  Peer client(Kind::kSmux, Role::kClient);
  Stream* stream = client.session->open(client.now);
  ASSERT_EQ(client.session->write(*stream, std::string(16'389, 'a')), 16'389U);
  client.session->end(*stream);

  const std::string out = client.output();

  EXPECT_EQ(hex_of(out.substr(0, 8)), "4000000000000001");
  EXPECT_EQ(hex_of(out.substr(16'392, 8)), "0005000100000001");
}

TEST(SmuxClient, KeepsAFullFrameBackThatMayBeTheLast) {
  Peer client(Kind::kSmux, Role::kClient);
  Stream* stream = client.session->open(client.now);
  client.session->write(*stream, std::string(16'384, 'a'));
  EXPECT_FALSE(client.session->has_output());

  client.session->end(*stream);

  EXPECT_EQ(hex_of(client.output().substr(0, 8)), "4000000100000001");
}

TEST(SmuxClient, IsDoneWhenItsLastStreamHasEnded) {
  Peer client(Kind::kSmux, Role::kClient);
  Stream* stream = client.session->open(client.now);
  EXPECT_EQ(stream->id, 1U);
  client.session->write(*stream, "x");
  client.session->end(*stream);
  client.session->drain(client.now);
  (void)client.output();
  EXPECT_EQ(client.session->open(client.now), nullptr);

  client.receive("0001 00 01 00000001 79");
  EXPECT_EQ(client.session->ending(), Ending::kNone);
  client.session->close(*stream, true, client.now);

  EXPECT_EQ(client.listener.said[1], "y.");
  EXPECT_EQ(client.session->ending(), Ending::kDone);
}

}  // namespace
}  // namespace mux

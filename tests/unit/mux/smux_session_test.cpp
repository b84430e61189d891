// The session of monochromegane/smux: requests and answers, and how streams begin and end.
#include "modules/mux/smux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/smux_rig.h"

namespace mux::testing {
namespace {

using SmuxSessionTest = SmuxTest;

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
}  // namespace mux::testing

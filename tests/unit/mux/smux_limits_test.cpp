// What a peer of smux that breaks the rules, or wants too much, gets.
#include "modules/mux/smux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/smux_rig.h"

namespace mux::testing {
namespace {

using SmuxLimits = SmuxTest;

TEST_F(SmuxLimits, DataAfterTheEndAreAnErrorWhileTheAnswerIsDue) {
  peer.receive(kHello);

  peer.receive("0001 00 01 00000001 61");

  EXPECT_EQ(session().ending(), Ending::kProtocolError);
  EXPECT_STREQ(session().error(), "data after the end of a request");
  EXPECT_EQ(peer.listener.said[1], "<hello.");
  EXPECT_EQ(peer.worker.counts.protocol_errors, 1U);
  EXPECT_EQ(peer.output_hex(), kEndOf1);
  EXPECT_FALSE(session().has_output());
}

TEST_F(SmuxLimits, ARefusedStreamIsEndedAndSkippedUntilItsEnd) {
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

TEST_F(SmuxLimits, ABrokenStreamIsEndedAndSkippedUntilItsEnd) {
  peer.receive("0002 00 00 00000001 6869");
  session().write(peer.stream(1), "never sent");
  session().close(peer.stream(1), false, peer.now);

  EXPECT_EQ(peer.output_hex(), kEndOf1);
  peer.receive("0002 00 01 00000001 6869");
  EXPECT_EQ(peer.listener.opens, 1U);
  EXPECT_EQ(session().streams(), 0U);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxLimits, AStreamBrokenInsideAFrameIsSkippedToItsEnd) {
  peer.receive("0004 00 01 00000001 6869");
  session().close(peer.stream(1), false, peer.now);

  peer.receive("6a6b 0001 00 01 00000001 7a");

  EXPECT_EQ(peer.listener.said[1], "<hi<z.");
}

TEST_F(SmuxLimits, RequestsThatNeverEndAfterARefusalAreBounded) {
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

TEST_F(SmuxLimits, EndsThatAreNotReadStopTheReadingAndThenTheSession) {
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

TEST_F(SmuxLimits, TooManyStreamsAreRefused) {
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

TEST_F(SmuxLimits, InputAtTheLimitStopsTheReadingAndBreaksNothingOff) {
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

TEST_F(SmuxLimits, WhatIsConsumedIsReadAgain) {
  peer.limits.max_session_input = 5;
  peer.receive(kHello);
  EXPECT_FALSE(session().reads());

  session().consumed(peer.stream(1), 5, peer.now);

  EXPECT_TRUE(session().reads());
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(SmuxLimits, HeldAnswersThatFillTheSessionLeaveBeforeTheRequestsEnd) {
  peer.limits.max_session_output = 1'000;
  peer.receive("0001 00 00 00000001 61 0001 00 00 00000003 61");
  EXPECT_EQ(session().write(peer.stream(1), std::string(900, 'a')), 900U);

  EXPECT_EQ(session().write(peer.stream(3), std::string(900, 'b')), 100U);

  EXPECT_TRUE(session().has_output());
  EXPECT_EQ(frames_in(peer.output()).bytes, 100U);
}

}  // namespace
}  // namespace mux::testing

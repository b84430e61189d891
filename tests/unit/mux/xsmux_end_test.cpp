// What is late or last in xtaci/smux: ends, signs of life, drains.
#include "modules/mux/xsmux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux::testing {
namespace {

constexpr auto kSyn1 = "01 00 0000 03000000";
constexpr auto kSyn2 = "02 00 0000 03000000";
constexpr auto kFin1 = "01 01 0000 03000000";
constexpr auto kFin2 = "02 01 0000 03000000";

std::string update(std::uint32_t consumed, std::uint32_t window) {
  std::string bytes = bytes_of("02 04 0800 03000000");
  xsmux::append_update(bytes, {consumed, window});
  return bytes;
}

TEST(XsmuxFin, WaitsForTheReaderAfterTheClients) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);
  peer.receive(kFin1);
  peer.session->write(peer.stream(3), "yes");
  peer.session->end(peer.stream(3));
  EXPECT_EQ(peer.output_hex(), "0102030003000000796573");

  peer.pass(Time{19});
  EXPECT_EQ(peer.output_hex(), "");
  peer.pass(Time{1});

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
}

TEST(XsmuxFin, IsSentAtOnceWhenTheClientHasReadAll) {
  Peer peer(Kind::kXsmux2);
  peer.receive(kSyn2);
  peer.receive(kFin2);
  peer.session->write(peer.stream(3), "yes");
  peer.session->end(peer.stream(3));
  (void)peer.output();

  peer.session->receive(update(3, 65'536), peer.now);

  EXPECT_EQ(peer.output_hex(), "0201000003000000");
}

TEST(XsmuxFin, IsSentAtOnceWhenNothingWasAnswered) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);
  peer.receive(kFin1);

  peer.session->end(peer.stream(3));

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
}

TEST(XsmuxFin, IsNotSentTwice) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);
  peer.session->end(peer.stream(3));
  (void)peer.output();
  peer.receive(kFin1);

  peer.session->close(peer.stream(3), false, peer.now);

  EXPECT_FALSE(peer.session->has_output());
  EXPECT_EQ(peer.session->streams(), 0U);
}

TEST(XsmuxFin, BreaksOffAndIgnoresWhatComes) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);
  peer.session->write(peer.stream(3), "never sent");

  peer.session->close(peer.stream(3), false, peer.now);
  peer.receive("01 02 0100 03000000 61");

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
  EXPECT_EQ(peer.listener.said[3], "<");
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST(XsmuxLife, SaysNopWhenNothingWasSentForSoLong) {
  Peer peer(Kind::kXsmux1);
  peer.pass(Time{9'999});
  EXPECT_FALSE(peer.session->has_output());
  peer.pass(Time{1});
  EXPECT_EQ(peer.output_hex(), "0103000000000000");

  peer.pass(Time{9'999});
  EXPECT_FALSE(peer.session->has_output());
}

TEST(XsmuxLife, DoesNotPileUpNopsThatCannotLeave) {
  Peer peer(Kind::kXsmux1);

  peer.pass(Time{1'000'000});

  EXPECT_EQ(peer.output_hex(), "0103000000000000");
}

TEST(XsmuxLife, MissesAClientThatHasKeptAlive) {
  Peer peer(Kind::kXsmux1);
  peer.receive("01 03 0000 00000000");
  peer.pass(Time{59'999});
  EXPECT_EQ(peer.session->ending(), Ending::kNone);
  (void)peer.output();

  peer.pass(Time{1});

  EXPECT_EQ(peer.session->ending(), Ending::kSilent);
  EXPECT_EQ(peer.worker.counts.silent_peers, 1U);
}

TEST(XsmuxLife, DoesNotMissAClientThatNeverKeptAlive) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);

  for (int i = 0; i < 100; ++i) {
    peer.pass(Time{10'000});
    (void)peer.output();
  }

  EXPECT_EQ(peer.session->ending(), Ending::kNone);
}

TEST(XsmuxDrain, ServesWhatIsOpenedMeanwhileAndIsDoneWithTheLast) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);
  peer.session->drain(peer.now);
  peer.receive("01 00 0000 05000000");
  EXPECT_EQ(peer.listener.opens, 2U);
  peer.session->write(peer.stream(3), "yes");
  peer.session->close(peer.stream(3), true, peer.now);
  EXPECT_EQ(peer.output_hex(), "01020300030000007965730101000003000000");
  EXPECT_EQ(peer.session->ending(), Ending::kNone);

  peer.session->write(peer.stream(5), "yes");
  peer.session->close(peer.stream(5), true, peer.now);

  EXPECT_EQ(peer.output_hex(), "01020300050000007965730101000005000000");
  EXPECT_EQ(peer.session->ending(), Ending::kDone);
}

TEST(XsmuxDrain, ACutEndsEveryStream) {
  Peer peer(Kind::kXsmux2);
  peer.receive(kSyn2);
  peer.session->write(peer.stream(3), "half");

  peer.session->cut(peer.now);

  EXPECT_EQ(peer.listener.said[3], "<!");
  EXPECT_EQ(peer.output_hex(), "0201000003000000");
  EXPECT_EQ(peer.session->ending(), Ending::kDone);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

}  // namespace
}  // namespace mux::testing

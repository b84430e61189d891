// The session of xtaci/smux: its streams, its refusals and what ends it. The frames are those of
// its Go client, captured.
#include "modules/mux/xsmux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux::testing {
namespace {

constexpr auto kSyn1 = "01 00 0000 03000000";

TEST(XsmuxSession, CarriesARequestAndItsAnswer) {
  Peer peer(Kind::kXsmux1);
  peer.receive("01 00 0000 03000000 01 02 0500 03000000 68656c6c6f");
  EXPECT_EQ(peer.listener.said[3], "<hello");

  peer.session->write(peer.stream(3), "yes");
  EXPECT_EQ(peer.output_hex(), "0102030003000000796573");
  peer.session->end(peer.stream(3));

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
}

TEST(XsmuxSession, EveryCutGivesTheSame) {
  const std::string bytes = bytes_of(
      "02 00 0000 03000000 02 02 0300 03000000 616263 02 04 0800 03000000 00000000 00000100 02 03 "
      "0000 00000000 02 00 0000 05000000 02 02 0100 05000000 78 02 01 0000 03000000 02 02 0100 "
      "09000000 79");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Peer peer(Kind::kXsmux2);
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      peer.session->receive(bytes.substr(at, piece), peer.now);
    const std::map<std::uint32_t, std::string> expected{{3, "<abc."}, {5, "<x"}};
    EXPECT_EQ(peer.listener.said, expected) << piece;
    EXPECT_EQ(peer.session->ending(), Ending::kNone);
  }
}

struct Fault {
  const char* name;
  Kind kind;
  const char* hex;
  const char* error;
};
class XsmuxFault : public ::testing::TestWithParam<Fault> {};

TEST_P(XsmuxFault, EndsTheSession) {
  Peer peer(GetParam().kind);

  peer.receive(GetParam().hex);

  EXPECT_EQ(peer.session->ending(), Ending::kProtocolError);
  EXPECT_STREQ(peer.session->error(), GetParam().error);
  EXPECT_EQ(peer.worker.counts.protocol_errors, 1U);
  EXPECT_FALSE(peer.session->reads());
  peer.receive(kSyn1);
  EXPECT_EQ(peer.listener.opens, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Frames, XsmuxFault,
    ::testing::Values(
        Fault{"AnotherVersion", Kind::kXsmux1, "02 00 0000 03000000", "a frame of another version"},
        Fault{"VersionThree", Kind::kXsmux2, "03 03 0000 00000000", "a frame of another version"},
        Fault{"Command5", Kind::kXsmux1, "01 05 0000 03000000", "an unknown command"},
        Fault{"Update1", Kind::kXsmux1, "01 04 0800 03000000", "a window in version 1"},
        Fault{"UpdateOf4", Kind::kXsmux2, "02 04 0400 03000000", "a window of another length"},
        Fault{"PayloadOnSyn", Kind::kXsmux1, "01 00 0100 03000000 61",
              "a payload where there is none"},
        Fault{"PayloadOnFin", Kind::kXsmux1, "01 01 0100 03000000 61",
              "a payload where there is none"},
        Fault{"PayloadOnNop", Kind::kXsmux2, "02 03 0100 00000000 61",
              "a payload where there is none"}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(XsmuxSession, TellsOpenStreamsTheirEndAfterAnError) {
  Peer peer(Kind::kXsmux1);
  peer.receive(kSyn1);

  peer.receive("01 07 0000 00000000");

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
}

TEST(XsmuxSession, IgnoresASynOfALiveStreamAndWhateverIsOfUnknownOnes) {
  Peer peer(Kind::kXsmux2);
  peer.receive(
      "02 00 0000 03000000 02 00 0000 03000000 02 02 0200 07000000 6161 02 01 0000 "
      "07000000 02 04 0800 07000000 ffffffff ffffffff 02 02 0000 03000000 02 02 0100 "
      "03000000 62");

  EXPECT_EQ(peer.listener.opens, 1U);
  EXPECT_EQ(peer.listener.said[3], "<b");
  EXPECT_EQ(peer.session->ending(), Ending::kNone);
  EXPECT_FALSE(peer.session->has_output());
}

TEST(XsmuxSession, IgnoresDataAfterAFin) {
  Peer peer(Kind::kXsmux1);
  peer.receive(
      "01 00 0000 03000000 01 01 0000 03000000 01 02 0100 03000000 61 01 01 0000 03000000");

  EXPECT_EQ(peer.listener.said[3], "<.");
}

TEST(XsmuxSession, OpensNoNumberThatTheClientHasTaken) {
  Peer peer(Kind::kXsmux1);
  peer.receive("01 00 0000 02000000");

  Stream* stream = peer.session->open(peer.now);

  EXPECT_EQ(stream->id, 4U);
  EXPECT_EQ(peer.session->streams(), 2U);
}

TEST(XsmuxSession, ARefusedStreamIsToldItsEnd) {
  Peer peer(Kind::kXsmux1);
  peer.listener.refuses = true;

  peer.receive("01 00 0000 03000000 01 02 0100 03000000 61");
  EXPECT_EQ(peer.worker.counts.streams_refused, 1U);
  EXPECT_EQ(peer.session->streams(), 0U);

  peer.pass(peer.limits.fin_delay);

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
}

// xtaci/smux 1.5.16 does not know its stream before the SYN has left.
TEST(XsmuxRefusal, OverALimitIsToldLate) {
  Peer peer(Kind::kXsmux1, Role::kServer, Limits{.max_streams = 1});
  peer.receive(kSyn1);
  peer.receive("01 00 0000 05000000");

  peer.pass(peer.limits.fin_delay - Time{1});
  EXPECT_FALSE(peer.session->has_output());
  peer.pass(Time{1});

  EXPECT_EQ(peer.output_hex(), "0101000005000000");
  EXPECT_EQ(peer.listener.opens, 1U);
}

TEST(XsmuxRefusal, BeyondAsManyAsThereMayBeStreamsIsToldAtOnce) {
  Peer peer(Kind::kXsmux1, Role::kServer, Limits{.max_streams = 1});
  peer.receive(kSyn1);
  peer.receive("01 00 0000 05000000 01 00 0000 07000000");

  EXPECT_EQ(peer.output_hex(), "0101000007000000");
}

TEST(XsmuxRefusal, OfANumberThatIsServedMeanwhileIsNotTold) {
  Peer peer(Kind::kXsmux1);
  peer.listener.refuses = true;
  peer.receive(kSyn1);
  peer.listener.refuses = false;
  peer.receive(kSyn1);

  peer.pass(peer.limits.fin_delay);

  EXPECT_EQ(peer.listener.opens, 1U);
  EXPECT_FALSE(peer.session->has_output());
}

TEST(XsmuxRefusal, IsToldBeforeTheSessionEnds) {
  Peer peer(Kind::kXsmux1);
  peer.listener.refuses = true;
  peer.receive(kSyn1);

  peer.session->cut(peer.now);

  EXPECT_EQ(peer.output_hex(), "0101000003000000");
  EXPECT_FALSE(peer.session->has_output());
}

TEST(XsmuxSession, SynFloodsThatAreNotReadStopTheReadingAndThenTheSession) {
  Peer peer(Kind::kXsmux1, Role::kServer, Limits{.max_streams = 100});
  peer.listener.refuses = true;
  std::string bytes;
  for (int i = 0; i < 10'000; ++i) bytes += bytes_of(kSyn1);
  peer.session->receive(bytes, peer.now);
  EXPECT_EQ(peer.session->ending(), Ending::kNone);
  EXPECT_FALSE(peer.session->reads());

  for (int i = 0; i < 20; ++i) peer.session->receive(bytes, peer.now);

  EXPECT_EQ(peer.session->ending(), Ending::kProtocolError);
}

}  // namespace
}  // namespace mux::testing

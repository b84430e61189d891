// The session of xtaci/smux: the frames are those of its Go client, captured.
#include "modules/mux/xsmux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux {
namespace {

using testing::bytes_of;
using testing::Kind;
using testing::Peer;

constexpr auto kSyn1 = "01 00 0000 03000000";
constexpr auto kSyn2 = "02 00 0000 03000000";
constexpr auto kFin1 = "01 01 0000 03000000";
constexpr auto kFin2 = "02 01 0000 03000000";

std::string update(std::uint32_t consumed, std::uint32_t window) {
  std::string bytes = bytes_of("02 04 0800 03000000");
  xsmux::append_update(bytes, {consumed, window});
  return bytes;
}

std::string data(std::uint8_t version, std::size_t size) {
  std::string bytes;
  while (size > 0) {
    const std::size_t part = std::min<std::size_t>(size, 32'768);
    xsmux::append_head(bytes, {.version = version,
                               .command = xsmux::Command::kPush,
                               .length = static_cast<std::uint16_t>(part),
                               .id = 3});
    bytes.append(part, 'd');
    size -= part;
  }
  return bytes;
}

// Bytes of data, and whether each frame is one that the client knows.
std::size_t data_in(std::string_view out) {
  std::size_t bytes = 0;
  while (out.size() >= xsmux::kHeadBytes) {
    const auto head = xsmux::head_at(out);
    EXPECT_LE(head.length, 16'384);
    if (head.command == xsmux::Command::kPush) bytes += head.length;
    out.remove_prefix(xsmux::kHeadBytes + head.length);
  }
  EXPECT_TRUE(out.empty());
  return bytes;
}

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

TEST(XsmuxWindow, IsSaidAfterTheFirstBytesAndThenForEachHalf) {
  Peer peer(Kind::kXsmux2, Role::kServer, Limits{.max_window = 262'144});
  peer.receive(kSyn2);
  peer.session->receive(data(2, 262'144), peer.now);
  Stream& stream = peer.stream(3);

  peer.session->consumed(stream, 5, peer.now);
  EXPECT_EQ(peer.output_hex(),
            "0204080003000000"
            "05000000"
            "00000400");
  peer.session->consumed(stream, 131'071, peer.now);
  EXPECT_FALSE(peer.session->has_output());
  peer.session->consumed(stream, 1, peer.now);

  EXPECT_EQ(peer.output_hex(),
            "0204080003000000"
            "05000200"
            "00000400");
}

TEST(XsmuxWindow, TakesAllOfTheFirstWindowAndNoByteMore) {
  Peer peer(Kind::kXsmux2);
  peer.receive(kSyn2);
  peer.session->receive(data(2, 262'144), peer.now);
  EXPECT_EQ(peer.listener.got, 262'144U);
  EXPECT_EQ(peer.session->ending(), Ending::kNone);

  peer.session->receive(data(2, 1), peer.now);

  EXPECT_EQ(peer.session->ending(), Ending::kProtocolError);
  EXPECT_STREQ(peer.session->error(), "data beyond the window");
  EXPECT_EQ(peer.listener.got, 262'144U);
}

TEST(XsmuxWindow, GrowsWhileItIsUsedUpFastAndTheWorkerHasRoom) {
  Peer peer(Kind::kXsmux2);
  peer.worker.window_limit = 262'144 + 524'288;
  peer.receive(kSyn2);
  for (int i = 0; i < 40; ++i) {
    peer.session->receive(data(2, 100'000), peer.now);
    peer.session->consumed(peer.stream(3), 100'000, peer.now);
  }
  EXPECT_EQ(peer.stream(3).window, 1'048'576U);
  EXPECT_EQ(peer.worker.window_used, 786'432U);
  EXPECT_EQ(peer.worker.counts.windows_grown, 2U);

  peer.session->close(peer.stream(3), false, peer.now);

  EXPECT_EQ(peer.worker.window_used, 0U);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST(XsmuxWindow, StaysWhenItIsUsedUpSlowly) {
  Peer peer(Kind::kXsmux2);
  peer.receive(kSyn2);
  for (int i = 0; i < 10; ++i) {
    peer.session->receive(data(2, 100'000), peer.now);
    peer.now += Time{1'000};
    peer.session->consumed(peer.stream(3), 100'000, peer.now);
  }

  EXPECT_EQ(peer.stream(3).window, 262'144U);
}

struct XsmuxSending : ::testing::Test {
  XsmuxSending() {
    peer.receive(kSyn2);
    peer.session->write(stream(), std::string(400'000, 'a'));
  }
  Stream& stream() { return peer.stream(3); }
  void receive(std::string_view bytes) { peer.session->receive(bytes, peer.now); }
  Peer peer{Kind::kXsmux2, Role::kServer, Limits{.max_stream_output = 1 << 20}};
};

TEST_F(XsmuxSending, NeverGoesBeyondTheWindow) {
  EXPECT_EQ(data_in(peer.output()), 262'144U);
  EXPECT_FALSE(peer.session->has_output());

  receive(update(100'000, 65'536));
  EXPECT_FALSE(peer.session->has_output());  // the room is negative
  receive(update(200'000, 65'536));

  EXPECT_EQ(data_in(peer.output()), 200'000U + 65'536 - 262'144);
}

TEST_F(XsmuxSending, AWindowOfHalfOfAllIsNone) {
  (void)peer.output();
  receive(update(262'144, 0x8000'0000));
  EXPECT_FALSE(peer.session->has_output());

  receive(update(262'144, 0x7fff'ffff));

  EXPECT_EQ(data_in(peer.output()), 400'000U - 262'144);
}

TEST_F(XsmuxSending, MoreConsumedThanSentIsAnError) {
  (void)peer.output();

  receive(update(262'145, 65'536));

  EXPECT_STREQ(peer.session->error(), "more consumed than was sent");
}

TEST_F(XsmuxSending, LessConsumedThanBeforeIsAnError) {
  (void)peer.output();
  receive(update(200'000, 65'536));

  receive(update(199'999, 65'536));

  EXPECT_STREQ(peer.session->error(), "more consumed than was sent");
}

TEST_F(XsmuxSending, MoreConsumedThanSentIsAnErrorLater) {
  (void)peer.output();
  receive(update(200'000, 0));

  receive(update(262'145, 65'536));

  EXPECT_STREQ(peer.session->error(), "more consumed than was sent");
}

TEST_F(XsmuxSending, CountsGoRoundAt32Bits) {
  (void)peer.output();
  stream().sent += 0xffff'0000;
  stream().read_by_peer += 0xffff'0000;

  receive(update(static_cast<std::uint32_t>(0xffff'0000 + 262'144ULL), 65'536));

  EXPECT_EQ(peer.session->ending(), Ending::kNone);
  EXPECT_EQ(stream().read_by_peer, 0xffff'0000ULL + 262'144);
  EXPECT_EQ(data_in(peer.output()), 65'536U);
}

TEST_F(XsmuxSending, AClientThatHasGoneIsWaitedForOnlySoLong) {
  peer.receive(kFin2);
  peer.session->end(stream());
  (void)peer.output();

  peer.pass(peer.limits.half_closed_linger - Time{1});
  EXPECT_EQ(peer.listener.said[3], "<.");
  peer.pass(Time{1});

  EXPECT_EQ(peer.listener.said[3], "<.!");
  EXPECT_EQ(peer.session->streams(), 0U);
  EXPECT_EQ(peer.worker.memory_used, 0U);
}

TEST_F(XsmuxSending, AClientThatReadsOnIsNotGivenUp) {
  peer.receive(kFin2);
  peer.session->end(stream());
  (void)peer.output();
  peer.pass(peer.limits.half_closed_linger - Time{1});
  receive(update(10'000, 262'144));
  (void)peer.output();
  peer.pass(peer.limits.half_closed_linger - Time{1});

  EXPECT_EQ(peer.listener.said[3], "<.");
}

TEST_F(XsmuxSending, OneStuckStreamStopsNoOther) {
  (void)peer.output();
  peer.receive("02 00 0000 05000000");

  peer.session->write(peer.stream(5), "x");

  EXPECT_EQ(peer.output_hex(), "020201000500000078");
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
}  // namespace mux

// The windows of xtaci/smux, version 2, in both directions.
#include "modules/mux/xsmux_session.h"

#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux::testing {
namespace {

constexpr auto kSyn2 = "02 00 0000 03000000";
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

struct XsmuxFirstWindow : ::testing::Test {
  XsmuxFirstWindow() { peer.receive(kSyn2); }
  void use(std::size_t size) {
    peer.session->receive(data(2, size), peer.now);
    peer.session->consumed(peer.stream(3), size, peer.now);
  }
  Peer peer{Kind::kXsmux2};
};

TEST_F(XsmuxFirstWindow, IsSaidTogetherWithTheAnswer) {
  use(5);
  EXPECT_FALSE(peer.session->has_output());

  peer.session->write(peer.stream(3), "a");

  EXPECT_EQ(peer.output_hex(),
            "0204080003000000"
            "05000000"
            "00000400"
            "020201000300000061");
}

TEST_F(XsmuxFirstWindow, IsSaidSoonWithoutAnAnswer) {
  use(5);
  peer.pass(kNoticeDelay - Time{1});
  EXPECT_FALSE(peer.session->has_output());
  peer.pass(Time{1});
  EXPECT_TRUE(peer.session->has_output());
}

TEST_F(XsmuxFirstWindow, IsSaidAtOnceWhenHalfOfItIsUsed) {
  use(131'072);
  EXPECT_TRUE(peer.session->has_output());
}

// It may wait with its own until we have read all.
TEST_F(XsmuxFirstWindow, IsSaidAtOnceToWhomOurEndWasSaid) {
  peer.session->end(peer.stream(3));
  peer.output();
  use(5);
  EXPECT_TRUE(peer.session->has_output());
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

}  // namespace
}  // namespace mux::testing

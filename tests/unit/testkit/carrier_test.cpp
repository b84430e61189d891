// Streams in the test kit, through the module that carries them: the test is both the peer and the
// protocol behind.
#include <gtest/gtest.h>

#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

std::string frame(std::uint32_t stream, int type, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(stream >> shift);
  out += static_cast<char>(type);
  for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  return out.append(bytes);
}
std::string data(std::uint32_t stream, std::string_view bytes) { return frame(stream, 0, bytes); }
std::string end(std::uint32_t stream) { return frame(stream, 1, ""); }
std::string reset(std::uint32_t stream) { return frame(stream, 2, ""); }
std::string credit(std::uint32_t stream, std::string_view number) {
  return frame(stream, 3, number);
}

class CarrierModule : public testing::Test {
 protected:
  drover_conn open(std::uint32_t stream = 1) {
    host_.feed(conn_, data(stream, ""));
    return host_.children().back();
  }

  Host host_{load(DROVER_BUILD_DIR "/test-modules/carrier.so"),
             Host::Settings{{"serve", {"inner"}}}};
  const drover_conn conn_ = host_.accept();
};

TEST_F(CarrierModule, HandsItsStreamsToTheServerHoweverTheyAreSplit) {
  const std::string all = data(7, "one") + data(9, "two") + data(7, " more") + end(9);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    Host host(load(DROVER_BUILD_DIR "/test-modules/carrier.so"),
              Host::Settings{{"serve", {"inner"}}});
    host.feed_in_pieces(host.accept(), all, size);

    ASSERT_EQ(host.children().size(), 2U) << size;
    const drover_conn seven = host.children()[0];
    const drover_conn nine = host.children()[1];
    EXPECT_EQ(host.server_of(seven), "inner");
    EXPECT_EQ(host.child_read(seven), "one more");
    EXPECT_FALSE(host.child_peer_ended(seven));
    EXPECT_EQ(host.child_read(nine), "two");
    EXPECT_TRUE(host.child_peer_ended(nine));
  }
}

TEST_F(CarrierModule, SendsNoMoreThanItsPeerHasCredited) {
  const drover_conn child = open();
  const std::string block(70'000, 'b');
  EXPECT_EQ(host_.child_write(child, block), 65'536U);
  EXPECT_EQ(host_.child_write(child, block), 0U);

  host_.feed(conn_, credit(1, std::string("\0\0\x10\0", 4)));

  EXPECT_TRUE(host_.child_was_writable(child));
  EXPECT_EQ(host_.child_write(child, block), 4096U);
}

TEST_F(CarrierModule, CreditsWhatTheProtocolHasTaken) {
  const drover_conn child = open();
  host_.feed(conn_, data(1, "12345"));
  EXPECT_EQ(host_.read(conn_), "");

  EXPECT_EQ(host_.child_read(child), "12345");

  EXPECT_EQ(host_.read(conn_), credit(1, std::string("\0\0\0\5", 4)));
}

TEST_F(CarrierModule, EndsAStreamInOrderOrBreaksItOff) {
  const drover_conn orderly = open(1);
  const drover_conn broken = open(2);
  host_.feed(conn_, end(1));
  host_.child_half_close(orderly);
  host_.child_close(orderly);
  EXPECT_EQ(host_.read(conn_), end(1));

  host_.child_close(broken, DROVER_TIMEOUT);
  EXPECT_EQ(host_.read(conn_), reset(2));
  EXPECT_EQ(host_.live(), 1U);
}

TEST_F(CarrierModule, BreaksOffWhatItsPeerBreaksOffOrOverruns) {
  const drover_conn given_up = open(1);
  const drover_conn overrun = open(2);
  host_.feed(conn_, reset(1));
  EXPECT_EQ(host_.child_closed(given_up), DROVER_RESET);

  host_.feed(conn_, data(2, std::string(65'536, 'x')) + data(2, "y"));
  EXPECT_EQ(host_.child_closed(overrun), DROVER_RESET);
}

TEST_F(CarrierModule, TellsAPeerWhoseStreamIsRefused) {
  host_.refuses_children = true;
  host_.feed(conn_, data(1, "x"));

  EXPECT_EQ(host_.read(conn_), reset(1));
  EXPECT_EQ(host_.live(), 1U);
}

TEST_F(CarrierModule, LosesItsStreamsWithTheConnection) {
  const drover_conn child = open();
  host_.reset(conn_);

  EXPECT_EQ(host_.child_closed(child), DROVER_RESET);
  EXPECT_TRUE(host_.children().empty());
}

TEST_F(CarrierModule, MovesOnlyWithoutStreams) {
  const drover_conn child = open();
  EXPECT_FALSE(host_.freeze(conn_).has_value());
  EXPECT_EQ(host_.child_closed(child), std::nullopt);

  host_.child_close(child);

  EXPECT_TRUE(host_.freeze(conn_).has_value());
}

TEST_F(CarrierModule, DrainsWhenItsLastStreamHasEnded) {
  const drover_conn child = open();
  host_.drain();
  EXPECT_FALSE(host_.has_ended(conn_));
  host_.feed(conn_, data(2, "late"));
  EXPECT_EQ(host_.read(conn_), reset(2));

  host_.child_close(child);

  EXPECT_TRUE(host_.has_ended(conn_));
}

}  // namespace
}  // namespace drover::testkit

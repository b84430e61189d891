// What takes time in streams: the linger of those that are half over, and the ends of xsmux that
// are late on purpose.
#include "modules/kvs/kv1/frame.h"
#include "modules/mux/wire/yamux.h"
#include "tests/integration/kvs_daemon.h"
#include "tests/integration/mux_client.h"
#include "tests/support/access_lines.h"

namespace drover::test {
namespace {

using mux::Protocol;
using namespace kvs::kv1;

// The key-value module with a value that is larger than all windows.
MuxServers with_store(const std::string& mux, const std::string& inner = "") {
  return {.mux = mux,
          .inner = "access_log = {dir}/access.log\n" + inner +
                   "kvs.zone = data\nkvs.max_value = 2m\n[zone data]\nsize = 32m\n",
          .drover = "load = " + built("modules/kvs.so") + "\n",
          .protocol = "kvs"};
}
void store(MuxClient& client, const std::string& value) {
  MuxStream* stream = client.open(frame(kSet, 1, "k", value));
  ASSERT_TRUE(client.run_until_ended(*stream));
  ASSERT_EQ(stream->received, frame(kOk, 1));
}

// Its server has said all and gone; the client reads nothing of it.
TEST(MuxLinger, EndsAStreamThatItsServerHasDoneWith) {
  Daemon daemon({.config = mux_config(
                     with_store("mux.half_closed_linger = 300ms\n", "linger_timeout = 50ms\n"))});
  MuxClient client(daemon, Protocol::kYamux);
  store(client, random_bytes(300'000, 1));
  const auto begin = Clock::now();
  MuxStream* stream = client.open(frame(kGet, 2, "k") + std::string(7, '\xff'), false);
  stream->reads = false;

  EXPECT_TRUE(client.run_until([&] { return stream->is_broken; }));

  EXPECT_GE(since(begin), Millis{300} - kEarly);
  EXPECT_EQ(stream->received.size(), mux::kFirstWindow);
  EXPECT_TRUE(wait_until([&] { return mux_number(daemon, "buffered_bytes") == 0; }));
  const MuxStream* next = client.open(frame(kGet, 3, "none"));
  EXPECT_TRUE(client.run_until_ended(*next)) << "the session goes on";
}

// A client of xsmux that has said its end may have gone, and never opens its window.
TEST(MuxLinger, EndsAnXsmuxStreamWhoseClientHasEndedAndReadsNothing) {
  Daemon daemon({.config = mux_config(with_store("mux.half_closed_linger = 300ms\n"))});
  MuxClient client(daemon, Protocol::kXsmux2);
  store(client, random_bytes(900'000, 1));
  const auto begin = Clock::now();
  MuxStream* stream = client.open(frame(kGet, 2, "k"));
  stream->reads = false;

  EXPECT_TRUE(client.run_until_ended(*stream));

  EXPECT_GE(since(begin), Millis{300} - kEarly);
  EXPECT_EQ(stream->received.size(), mux::kFirstWindow);
  EXPECT_TRUE(wait_until([&] { return mux_number(daemon, "buffered_bytes") == 0; }));
}

class MuxLingers : public testing::TestWithParam<Protocol> {};

// Half a window each 250 ms, twice as long as the linger in all.
TEST_P(MuxLingers, EndNoHalfClosedStreamThatKeepsMoving) {
  Daemon daemon({.config = mux_config(with_store("mux.half_closed_linger = 1s\n"))});
  MuxClient client(daemon, GetParam());
  const std::string value = random_bytes(mux::kFirstWindow * 5, 1);
  store(client, value);
  const auto begin = Clock::now();
  MuxStream* stream = client.open(frame(kGet, 2, "k"));
  stream->reads = false;
  ASSERT_TRUE(client.run_until([&] { return stream->received.size() >= mux::kFirstWindow; }));

  while (since(begin) < Millis{2'000} && !stream->has_ended && !stream->is_broken) {
    client.run_until([&] { return stream->has_ended || stream->is_broken; }, Millis{250});
    client.use(*stream, mux::kFirstWindow / 2);
  }
  EXPECT_FALSE(stream->is_broken);
  client.use_all(*stream);

  EXPECT_TRUE(client.run_until_ended(*stream));
  EXPECT_TRUE(stream->received == frame(kOk, 2, "", value)) << stream->received.size();
}

INSTANTIATE_TEST_SUITE_P(All, MuxLingers, testing::Values(Protocol::kXsmux2, Protocol::kYamux),
                         protocol_name);

// Frames of xsmux, one after the other, up to one that says `command` of a stream.
struct Until {
  std::string data;
  Millis waited{};
};
Until read_until(Client& client, XsmuxCommand command, char id) {
  const auto begin = Clock::now();
  Until read;
  for (;;) {
    const std::string head = client.receive(8);
    const std::size_t size =
        static_cast<unsigned char>(head[2]) + 256U * static_cast<unsigned char>(head[3]);
    const std::string body = size > 0 ? client.receive(size) : "";
    if (head[1] == kPsh) read.data += body;
    if (head[1] == static_cast<char>(command) && head[4] == id) break;
  }
  read.waited = since(begin);
  return read;
}
std::string request(int version, std::uint32_t id, bool ends = true) {
  return xsmux_frame(version, kSyn, id) + xsmux_frame(version, kPsh, id, "hello") +
         (ends ? xsmux_frame(version, kFin, id) : "");
}

class MuxFinDelay : public testing::TestWithParam<int> {};

TEST_P(MuxFinDelay, HoldsAnEndBackThatFollowsTheClients) {
  Daemon daemon({.config = mux_config({.mux = "mux.fin_delay = 300ms\n"})});
  Client client(Endpoint::v4(daemon.port()));
  const auto begin = Clock::now();
  client.send_all(request(GetParam(), 3));

  EXPECT_EQ(read_until(client, kFin, 3).data, "hello");

  EXPECT_GE(since(begin), Millis{300} - kEarly);
}

TEST_P(MuxFinDelay, HoldsTheEndBackThatRefuses) {
  Daemon daemon({.config = mux_config({.mux = "mux.fin_delay = 300ms\nmux.max_streams = 1\n"})});
  Client client(Endpoint::v4(daemon.port()));
  const auto begin = Clock::now();
  client.send_all(request(GetParam(), 3, false) + request(GetParam(), 5));

  EXPECT_EQ(read_until(client, kFin, 5).data, "hello") << "of the other one";

  EXPECT_GE(since(begin), Millis{300} - kEarly);
  EXPECT_EQ(mux_number(daemon, "streams_refused"), 1);
}

TEST_P(MuxFinDelay, IsNoneForAnEndThatComesBeforeTheClients) {
  Daemon daemon(
      {.config = mux_config({.mux = "mux.fin_delay = 10s\n",
                             .drover = "load = " + built("test-modules/closing.so") + "\n",
                             .protocol = "closing"})});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all(request(GetParam(), 3, false));

  const Until read = read_until(client, kFin, 3);

  EXPECT_EQ(read.data, "bye");
  EXPECT_LT(read.waited, Millis{5'000});
}

INSTANTIATE_TEST_SUITE_P(Version, MuxFinDelay, testing::Values(1, 2),
                         [](const auto& row) { return std::to_string(row.param); });

// Version 2 says what its reader has read.
TEST(MuxFinDelays, EndWhenTheReaderHasReadAll) {
  Daemon daemon({.config = mux_config({.mux = "mux.fin_delay = 10s\n"})});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all(request(2, 3));
  EXPECT_EQ(read_until(client, kPsh, 3).data, "hello");

  client.send_all(xsmux_frame(2, kUpd, 3, little(5, 4) + little(65'536, 4)));

  EXPECT_LT(read_until(client, kFin, 3).waited, Millis{5'000});
}

// Nothing else is sent in these sessions before the sign of life after 10 s.
TEST(MuxNotices, AcknowledgeAStreamThatIsNotAnswered) {
  Daemon daemon({.config = mux_config({})});
  Client client(Endpoint::v4(daemon.port()));
  std::string opening;
  std::string acknowledged;
  mux::yamux::append_head(
      opening, {.type = mux::yamux::Type::kWindowUpdate, .flags = mux::yamux::kSyn, .id = 1});
  mux::yamux::append_head(
      acknowledged, {.type = mux::yamux::Type::kWindowUpdate, .flags = mux::yamux::kAck, .id = 1});
  const auto begin = Clock::now();
  client.send_all(opening);

  EXPECT_EQ(client.receive(acknowledged.size()), acknowledged);
  EXPECT_LT(since(begin), Millis{5'000});
}

TEST(MuxNotices, SayTheWindowOfAStreamThatIsNotAnswered) {
  Daemon daemon({.config = mux_config(with_store(""))});
  MuxClient client(daemon, Protocol::kXsmux2);
  const auto begin = Clock::now();
  const MuxStream* stream = client.open(frame(kGet, 1, "k").substr(0, 3), false);

  EXPECT_TRUE(client.run_until([&] { return stream->stream->read_by_peer == 3; }));
  EXPECT_LT(since(begin), Millis{5'000});
}

}  // namespace
}  // namespace drover::test

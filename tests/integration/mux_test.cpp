// Streams in the real daemon: what a client of each protocol sees of the server behind.
#include <array>

#include "modules/kvs/kv1/frame.h"
#include "tests/integration/kvs_daemon.h"
#include "tests/integration/mux_client.h"
#include "tests/support/access_lines.h"

namespace drover::test {
namespace {

using mux::Protocol;

constexpr std::array kAll{Protocol::kSmux, Protocol::kXsmux1, Protocol::kXsmux2, Protocol::kYamux};
constexpr std::array kWithWindows{Protocol::kXsmux2, Protocol::kYamux};

std::string sessions_of(Protocol protocol) {
  constexpr std::array kNames{"sessions_smux", "sessions_xsmux1", "sessions_xsmux2",
                              "sessions_yamux"};
  return kNames.at(static_cast<std::size_t>(protocol));
}

class MuxProtocols : public testing::TestWithParam<Protocol> {};

TEST_P(MuxProtocols, EchoThreeHundredStreamsOfAnySize) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  std::vector<MuxStream*> streams;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const std::size_t size = 1 + (i * 7'919) % (i % 10 == 0 ? 150'000 : 9'000);
    streams.push_back(client.open(random_bytes(size, i)));
    ASSERT_NE(streams.back(), nullptr);
  }

  EXPECT_TRUE(client.run_until([&] { return ended(streams) == streams.size(); }, Millis{60'000}))
      << ended(streams) << " have ended";

  for (const MuxStream* stream : streams)
    EXPECT_TRUE(stream->received == stream->to_send) << stream->received.size();
  EXPECT_EQ(mux_number(daemon, sessions_of(GetParam())), 1);
  EXPECT_EQ(mux_number(daemon, "streams_opened"), 300);
  EXPECT_TRUE(wait_until([&] { return mux_number(daemon, "buffered_bytes") == 0; }));
}

// More than any window, and more than is held back of a smux answer: its request's end must be
// read.
TEST_P(MuxProtocols, EchoAStreamThatIsLargerThanAllThatIsKept) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  const MuxStream* stream = client.open(random_bytes(std::size_t{6} << 20, 1));
  ASSERT_NE(stream, nullptr);

  EXPECT_TRUE(client.run_until_ended(*stream, Millis{30'000}));

  EXPECT_TRUE(stream->received == stream->to_send) << stream->received.size();
}

TEST_P(MuxProtocols, AreToldApartWhenTheirBytesComeOneByOne) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  client.dribble(1);

  expect_echo(client, "one by one");

  EXPECT_EQ(mux_number(daemon, sessions_of(GetParam())), 1);
}

TEST_P(MuxProtocols, ServeTheKeyValueModuleAsItIs) {
  Daemon daemon({.config = mux_config({.inner = "kvs.zone = data\n[zone data]\nsize = 32m\n",
                                       .drover = "load = " + built("modules/kvs.so") + "\n",
                                       .protocol = "kvs"})});
  MuxClient client(daemon, GetParam());
  using namespace kvs::kv1;
  MuxStream* stream = client.open(frame(kSet, 1, "k", "value") + frame(kGet, 2, "k"));
  ASSERT_NE(stream, nullptr);

  EXPECT_TRUE(client.run_until_ended(*stream));

  EXPECT_EQ(stream->received, frame(kOk, 1) + frame(kOk, 2, "", "value"));
}

TEST_P(MuxProtocols, GetTheirAnswersAfterTheConnectionWasHalfClosed) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  MuxStream* stream = client.open(random_bytes(5'000, 1));
  ASSERT_NE(stream, nullptr);
  client.half_close();

  EXPECT_TRUE(client.run_until_ended(*stream));

  EXPECT_TRUE(stream->has_ended);
  EXPECT_TRUE(stream->received == stream->to_send);
  EXPECT_TRUE(client.wait_for_end());
}

// Its module must not take what came for all that there was.
TEST_P(MuxProtocols, BreakOffStreamsThatTheConnectionsEndCutsOff) {
  Daemon daemon({.config = mux_config({.inner = "access_log = {dir}/access.log\n"})});
  MuxClient client(daemon, GetParam());
  const MuxStream* whole = client.open(random_bytes(5'000, 1));
  MuxStream* cut_off = client.open("", false);
  ASSERT_NE(cut_off, nullptr);
  client.say(*cut_off, random_bytes(40'000, 2));
  ASSERT_TRUE(client.run_until_ended(*whole));
  client.turn(Millis{10});

  client.half_close();

  const auto lines = wait_for_access_lines(daemon.file("access.log"), 2);
  EXPECT_EQ(std::ranges::count(lines, "reset", &AccessLine::reason), 1);
  EXPECT_TRUE(client.wait_for_end());
}

TEST_P(MuxProtocols, ThatAreNotServedAreClosedAndCounted) {
  const std::string other = GetParam() == Protocol::kYamux ? "xsmux" : "yamux";
  Daemon daemon({.config = mux_config({.mux = "mux.protocol = " + other + "\n"})});
  MuxClient client(daemon, GetParam());
  ASSERT_NE(client.open("longer than any header"), nullptr);

  EXPECT_TRUE(client.wait_for_end());

  const bool is_refused = daemon.wait_for_status([](const DaemonStatus& now) {
    return now.metric("streams", "unknown_protocols") + now.metric("streams", "protocol_errors") ==
           1;
  });
  EXPECT_TRUE(is_refused);
}

// A session is drained and cut at mux.drain_timeout, long before the worker's own deadline.
TEST_P(MuxProtocols, EndEveryStreamAtTheDeadlineOfADrain) {
  Daemon daemon({.config = mux_config({.mux = "mux.drain_timeout = 300ms\n"})});
  MuxClient client(daemon, GetParam());
  const std::string bytes = random_bytes(20'000, 1);  // a frame at least: a smux client keeps less
  std::vector<MuxStream*> streams;
  for (int i = 0; i < 20; ++i) streams.push_back(client.open(bytes, false));
  client.turn(Millis{0});
  const bool is_smux = GetParam() == Protocol::kSmux;
  ASSERT_TRUE(client.run_until([&] {
    return std::ranges::all_of(
        streams, [&](const MuxStream* one) { return is_smux || one->received == bytes; });
  }));
  ASSERT_TRUE(wait_for_mux_number(daemon, sessions_of(GetParam()), 1));

  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);

  EXPECT_TRUE(client.wait_for_end());
  for (const MuxStream* stream : streams) EXPECT_TRUE(stream->has_ended || stream->is_broken);
  EXPECT_TRUE(wait_for_mux_number(daemon, "sessions_cut", 1));
}

TEST_P(MuxProtocols, AreNotCutByAReloadThatTheyCanOutlive) {
  Daemon daemon({.config = mux_config({.drover = "worker_shutdown_timeout = 60s\n"})});
  MuxClient client(daemon, GetParam());
  std::vector<MuxStream*> streams;
  for (std::uint32_t i = 0; i < 50; ++i)
    streams.push_back(client.open(random_bytes(17'000 + i, i), false));
  client.turn(Millis{10});
  ASSERT_TRUE(wait_for_mux_number(daemon, sessions_of(GetParam()), 1));

  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  client.run_until([] { return false; }, Millis{100});  // with the drain under way
  for (MuxStream* stream : streams) client.say(*stream, "and more");
  for (MuxStream* stream : streams) client.end(*stream);

  EXPECT_TRUE(client.run_until([&] { return ended(streams) == streams.size(); }))
      << ended(streams) << " have ended";
  for (const MuxStream* stream : streams) EXPECT_TRUE(stream->received == stream->to_send);
  MuxClient next(daemon, GetParam());
  expect_echo(next, "the next generation");
}

TEST_P(MuxProtocols, GoOnAfterTheirWorkerWasKilled) {
  Daemon daemon({.config = mux_config({.workers = 2})});
  std::vector<std::unique_ptr<MuxClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<MuxClient>(daemon, GetParam()));
    for (std::uint32_t n = 0; n < 20; ++n) clients.back()->open(random_bytes(20'000, n));
    clients.back()->turn(Millis{0});
  }

  const pid_t killed = daemon.worker_pid(0);
  kill_now(killed);

  for (const auto& client : clients) client->run_until([] { return false; }, Millis{20});
  clients.clear();
  EXPECT_TRUE(wait_until([&] {
    const pid_t now = daemon.worker_pid(0);
    return now != 0 && now != killed;
  }));
  for (int i = 0; i < 8; ++i) {
    MuxClient client(daemon, GetParam());
    expect_echo(client, "again");
  }
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.live() == 0 && now.metric("streams", "buffered_bytes") == 0 &&
           now.metric("streams", "protocol_errors") == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(All, MuxProtocols, testing::ValuesIn(kAll), protocol_name);

class MuxWindows : public testing::TestWithParam<Protocol> {};

TEST_P(MuxWindows, LetOneSlowStreamStopNoOther) {
  Daemon daemon({.config = mux_config()});
  MuxClient client(daemon, GetParam());
  MuxStream* slow = client.open(random_bytes(3'000'000, 1));
  ASSERT_NE(slow, nullptr);
  slow->reads = false;
  ASSERT_TRUE(client.run_until([&] { return slow->received.size() >= mux::kFirstWindow; }));

  for (int i = 0; i < 50; ++i) expect_echo(client, random_bytes(10'000, 2));

  EXPECT_EQ(slow->received.size(), mux::kFirstWindow) << "no more than its window";
  client.use_all(*slow);
  EXPECT_TRUE(client.run_until_ended(*slow));
  EXPECT_TRUE(slow->received == slow->to_send);
}

INSTANTIATE_TEST_SUITE_P(All, MuxWindows, testing::ValuesIn(kWithWindows), protocol_name);

// A yamux client opens with 00 01 00 01 and an odd number, and so begins a smux request of one
// byte: only what follows tells.
TEST(MuxDetection, TakesALonelyRequestOfOneByteForSmux) {
  Daemon daemon({.config = mux_config()});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all(smux_frame(1, true, "x"));

  EXPECT_EQ(client.receive(9), smux_frame(1, true, "x"));
  EXPECT_EQ(mux_number(daemon, "sessions_smux"), 1);
}

TEST(MuxDetection, TakesTheSameBytesForYamuxWhenAWindowFollows) {
  Daemon daemon({.config = mux_config()});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all(yamux_head(kYamuxWindow, kYamuxSyn, 1, 0));
  client.send_all(yamux_data(kYamuxFin, 1, "x"));

  EXPECT_TRUE(wait_for_mux_number(daemon, "sessions_yamux", 1));
  EXPECT_EQ(client.receive(2).substr(0, 1), big(0, 1));
}

TEST(MuxDetection, ClosesAndCountsWhatIsNoneOfThem) {
  Daemon daemon({.config = mux_config()});
  int strangers = 0;
  for (const std::string& hello :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8),
        std::string("PROXY TCP4 1.2.3.4"), std::string("SSH-2.0-x\r\n")}) {
    Client client(Endpoint::v4(daemon.port()));
    client.send_all(hello);
    EXPECT_EQ(client.receive_all(), "") << hello;
    EXPECT_TRUE(wait_for_mux_number(daemon, "unknown_protocols", ++strangers));
  }
}

TEST(MuxDetection, GivesUpWhoShowsNothingInTime) {
  Daemon daemon({.config = mux_config({.mux = "mux.detect_timeout = 200ms\n"})});
  Client silent(Endpoint::v4(daemon.port()));
  Client hesitant(Endpoint::v4(daemon.port()));
  hesitant.send_all(std::string(1, '\0'));

  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(hesitant.receive_all(), "");
  EXPECT_TRUE(wait_for_mux_number(daemon, "undecided", 2));
}

// A write of kvs with number 0 is not answered.
TEST(MuxSmux, SaysTheEndOfAnAnswerThatIsEmpty) {
  Daemon daemon({.config = mux_config({.inner = "kvs.zone = data\n[zone data]\nsize = 32m\n",
                                       .drover = "load = " + built("modules/kvs.so") + "\n",
                                       .protocol = "kvs"})});
  Client client(Endpoint::v4(daemon.port()));
  client.send_all(smux_frame(1, true, frame(kvs::kv1::kSet, 0, "k", "v")));

  EXPECT_EQ(client.receive(8), smux_frame(1, true, ""));
}

}  // namespace
}  // namespace drover::test

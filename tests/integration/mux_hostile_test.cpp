// Peers that break the rules of their protocol, or keep to them and still want a worker's memory:
// what they get is counted, bounded, and nobody else's trouble.
#include "tests/integration/mux_client.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

using mux::Protocol;

constexpr std::int64_t kMiB = 1 << 20;

std::string yamux_open(std::uint32_t id) { return yamux_head(kYamuxWindow, kYamuxSyn, id, 0); }
std::string xsmux_open(int version, std::uint32_t id) { return xsmux_frame(version, kSyn, id); }

std::string beyond_the_window() {
  std::string all = xsmux_open(2, 3);
  for (int i = 0; i < 40; ++i) all += xsmux_frame(2, kPsh, 3, std::string(65'535, 'x'));
  return all;
}

struct Attack {
  const char* name;
  std::string bytes;
};

// By the daemon, in order or by a reset, behind whatever it still says.
bool is_closed(Client& client) {
  try {
    static_cast<void>(client.receive_all());
  } catch (const std::exception&) {
    return client.next() == Client::Next::kError || client.next() == Client::Next::kEnd;
  }
  return true;
}

// Each ends its own session, and only that.
class MuxViolations : public testing::TestWithParam<Attack> {};

TEST_P(MuxViolations, EndTheirOwnSessionAndAreCounted) {
  Daemon daemon({.config = mux_config()});
  MuxClient other(daemon, Protocol::kYamux);
  MuxStream* stream = other.open("before ", false);
  ASSERT_TRUE(other.run_until([&] { return stream->received == "before "; }));

  Client attacker(Endpoint::v4(daemon.port()));
  attacker.send_all(GetParam().bytes);

  EXPECT_TRUE(wait_for_mux_number(daemon, "protocol_errors", 1));
  EXPECT_TRUE(is_closed(attacker));
  other.say(*stream, "after");
  other.end(*stream);
  EXPECT_TRUE(other.run_until_ended(*stream));
  EXPECT_EQ(stream->received, "before after");
  EXPECT_EQ(mux_number(daemon, "protocol_errors"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, MuxViolations,
    testing::Values(
        Attack{"YamuxDataBeyondTheWindow",
               yamux_open(1) + yamux_head(kYamuxData, 0, 1, mux::kFirstWindow * 8)},
        Attack{"YamuxOpenWithDataBeyondTheWindow",
               yamux_head(kYamuxData, kYamuxSyn, 1, mux::kFirstWindow + 1)},
        Attack{"YamuxCreditThatOverflows", yamux_open(1) +
                                               yamux_head(kYamuxWindow, 0, 1, 0xffffffffU) +
                                               yamux_head(kYamuxWindow, 0, 1, 0xffffffffU)},
        Attack{"YamuxNumberThatIsOpen", yamux_open(1) + yamux_open(1)},
        Attack{"YamuxUnknownType", yamux_open(1) + yamux_head(static_cast<YamuxType>(9), 0, 1, 0)},
        Attack{"YamuxWrongVersion", yamux_open(1) + std::string(12, '\x07')},
        Attack{"Xsmux2DataBeyondTheWindow", beyond_the_window()},
        Attack{"XsmuxUnknownCommand",
               xsmux_open(1, 3) + xsmux_frame(1, static_cast<XsmuxCommand>(9), 3)},
        Attack{"XsmuxOtherVersion", xsmux_open(1, 3) + xsmux_open(2, 5)},
        Attack{"Xsmux1WithAWindow", xsmux_open(1, 3) + xsmux_frame(1, kUpd, 3, big(0, 8))}),
    [](const auto& row) { return std::string(row.param.name); });

// Sends as much as the daemon takes, for as long as it takes something, and never reads.
std::size_t flood(Client& client, const std::string& bytes, std::size_t most_bytes) {
  std::size_t sent = 0;
  Clock::time_point taken_at = Clock::now();
  while (sent < most_bytes && since(taken_at) < Millis{500}) {
    pollfd entry{client.fd(), POLLOUT, 0};
    if (::poll(&entry, 1, 50) <= 0) continue;
    const ssize_t size = ::send(client.fd(), bytes.data() + sent % bytes.size(),
                                bytes.size() - sent % bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno != EAGAIN) break;
    if (size <= 0) continue;
    sent += static_cast<std::size_t>(size);
    taken_at = Clock::now();
  }
  return sent;
}

void expect_service(Daemon& daemon) {
  MuxClient other(daemon, Protocol::kXsmux2);
  MuxStream* stream = other.open("well");
  ASSERT_NE(stream, nullptr);
  EXPECT_TRUE(other.run_until_ended(*stream));
  EXPECT_EQ(stream->received, "well");
}

TEST(MuxFloods, OfPingsByAClientThatNeverReadsCostALittle) {
  Daemon daemon({.config = mux_config(), .environment = without_quarantine()});
  expect_service(daemon);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  std::string pings;
  for (std::uint32_t i = 0; i < 20'000; ++i) pings += yamux_head(kYamuxPing, kYamuxSyn, 0, i);
  Client attacker(Endpoint::v4(daemon.port()));

  flood(attacker, pings, std::size_t{64} << 20);

  EXPECT_LT(rss_bytes(worker) - before, kMemoryFactor * 4 * kMiB);
  EXPECT_TRUE(wait_for_mux_number(daemon, "pings", 20'000));
  expect_service(daemon);
}

TEST(MuxFloods, OfOpensGetNoMoreThanTheirStreams) {
  Daemon daemon({.config = mux_config({.mux = "mux.max_streams = 100\n"}),
                 .environment = without_quarantine()});
  expect_service(daemon);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  std::string opens;
  for (std::uint32_t id = 1; id < 400'000; id += 2) opens += yamux_open(id);
  Client attacker(Endpoint::v4(daemon.port()));

  const std::size_t sent = flood(attacker, opens, opens.size());

  EXPECT_GT(sent, 0U);
  EXPECT_TRUE(wait_for_mux_number(daemon, "streams_refused", 1'000));
  EXPECT_EQ(mux_number(daemon, "streams_opened"), 101) << "one is the other's";
  EXPECT_LT(rss_bytes(worker) - before, kMemoryFactor * 8 * kMiB);
  expect_service(daemon);
}

int version_of(Protocol protocol) {
  if (protocol == Protocol::kXsmux1) return 1;
  return protocol == Protocol::kXsmux2 ? 2 : 0;
}

class MuxGreedy : public testing::TestWithParam<Protocol> {};

// Frames that every protocol's clients send, together less than a window of each stream.
std::string echo_of_much(Protocol protocol, std::uint32_t streams) {
  const int version = version_of(protocol);
  const std::string block(15'000, 'x');
  std::string all;
  for (std::uint32_t id = 3; id < 3 + 2 * streams; id += 2) {
    if (protocol == Protocol::kYamux) all += yamux_open(id);
    if (version > 0) all += xsmux_open(version, id);
    for (int i = 0; i < 16; ++i) {
      if (protocol == Protocol::kYamux) all += yamux_data(0, id, block);
      if (protocol == Protocol::kSmux) all += smux_frame(id, false, block);
      if (version > 0) all += xsmux_frame(version, kPsh, id, block);
    }
  }
  return all;
}

// It asks for an echo of more than it will ever read, on many streams.
TEST_P(MuxGreedy, ClientsThatNeverReadKeepToTheBudgetOfTheirSession) {
  Daemon daemon(
      {.config = mux_config({.mux = "mux.max_output = 2m\nmux.max_session_buffer = 2m\n"}),
       .environment = without_quarantine()});
  expect_service(daemon);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  const std::string all = echo_of_much(GetParam(), 400);
  Client attacker(Endpoint::v4(daemon.port()));

  flood(attacker, all, all.size());

  EXPECT_LT(rss_bytes(worker) - before, kMemoryFactor * 16 * kMiB);
  EXPECT_TRUE(wait_for_mux_number(daemon, "buffered_bytes", kMiB)) << "its streams are served";
  EXPECT_LE(mux_number(daemon, "buffered_bytes"), 6 * kMiB);
  expect_service(daemon);
  attacker.reset();
  EXPECT_TRUE(wait_until([&] { return mux_number(daemon, "buffered_bytes") == 0; }));
}

INSTANTIATE_TEST_SUITE_P(All, MuxGreedy,
                         testing::Values(Protocol::kSmux, Protocol::kXsmux1, Protocol::kXsmux2,
                                         Protocol::kYamux),
                         protocol_name);

TEST(MuxSilence, OfAYamuxPeerEndsItsSession) {
  Daemon daemon({.config = mux_config({.mux = "mux.keepalive = 100ms\n"
                                              "mux.silence_timeout = 400ms\n"})});
  Client silent(Endpoint::v4(daemon.port()));
  silent.send_all(yamux_open(1));
  MuxClient alive(daemon, Protocol::kYamux);
  MuxStream* stream = alive.open("x", false);

  EXPECT_TRUE(alive.run_until([&] { return mux_number(daemon, "silent_peers") == 1; }));

  EXPECT_TRUE(alive.run_until([&] { return stream->received == "x"; }));
  alive.say(*stream, "y");
  EXPECT_TRUE(alive.run_until([&] { return stream->received == "xy"; })) << "it answers pings";
  EXPECT_EQ(mux_number(daemon, "silent_peers"), 1);
}

}  // namespace
}  // namespace drover::test

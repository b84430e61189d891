// The PROXY protocol before a server: the client that a trusted header names is the one that is
// logged, judged and counted; anything else there is refused.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

using namespace std::string_literals;

const std::string kV1 = "PROXY TCP4 203.0.113.7 198.51.100.1 4711 80\r\n";

// Version 2: signature, version and command, family, length, addresses and what follows them.
std::string v2(char command, char family, const std::string& body) {
  std::string header = "\r\n\r\n\0\r\nQUIT\n"s;
  header += static_cast<char>(0x20 | command);
  header += family;
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size() & 0xff);
  return header + body;
}

// From 203.0.113.7:4711 to 198.51.100.1:80.
const std::string kV4Block = "\xcb\x00\x71\x07\xc6\x33\x64\x01\x12\x67\x00\x50"s;
const std::string kV6Block = "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07"s +
                             std::string(15, '\0') + "\x01"s + "\x12\x67\x00\x50"s;
const std::string kV2 = v2(1, 0x11, kV4Block);

std::string proxied(const std::string& more = "") {
  return config("workers = 2", echo_server("exclusive", "127.0.0.1:{port} proxy_protocol") +
                                   "proxy_from = 127.0.0.2\naccess_log = {dir}/access.log\n" +
                                   more);
}

constexpr const char* kBalancer = "127.0.0.2";

struct Header {
  const char* name;
  std::string bytes;
  std::string peer;  // as logged; empty: the balancer's own address
};

void PrintTo(const Header& row, std::ostream* out) { *out << row.name; }

class GoodHeader : public ::testing::TestWithParam<Header> {
 protected:
  void expect_logged(Client& client) {
    const std::string peer = GetParam().peer.empty() ? client.name() : GetParam().peer;
    client.close();
    const auto lines = wait_for_access_lines(daemon_.file("access.log"), 1);
    EXPECT_EQ(lines.front().peer, peer);
    EXPECT_EQ(lines.front().bytes_out, 7) << "the header is not the module's to see";
  }
  Daemon daemon_{{.config = proxied()}};
  Client client_{Endpoint::v4(daemon_.port()), kBalancer};
};

TEST_P(GoodHeader, InOnePacketWithDataNamesTheClient) {
  client_.send_all(GetParam().bytes + "message");

  EXPECT_EQ(client_.receive(7), "message");
  expect_logged(client_);
}

TEST_P(GoodHeader, ByteByByteNamesTheClient) {
  for (const char byte : GetParam().bytes + "message") client_.send_all({&byte, 1});

  EXPECT_EQ(client_.receive(7), "message");
  expect_logged(client_);
}

INSTANTIATE_TEST_SUITE_P(
    Headers, GoodHeader,
    ::testing::Values(
        Header{"v1", kV1, "203.0.113.7:4711"},
        Header{"v1_ipv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "[2001:db8::7]:4711"},
        Header{"v1_unknown", "PROXY UNKNOWN\r\n", ""}, Header{"v2", kV2, "203.0.113.7:4711"},
        Header{"v2_ipv6", v2(1, 0x21, kV6Block), "[2001:db8::7]:4711"},
        Header{"v2_with_extensions", v2(1, 0x11, kV4Block + "\x04\x00\x03\x61\x62\x63"s),
               "203.0.113.7:4711"},
        Header{"v2_local", v2(0, 0x00, ""), ""}),
    [](const auto& row) { return row.param.name; });

class BadHeader : public ::testing::TestWithParam<Header> {};

TEST_P(BadHeader, IsRefusedAndCounted) {
  Daemon daemon({.config = proxied()});
  Client client(Endpoint::v4(daemon.port()), kBalancer);

  client.send_all(GetParam().bytes);

  EXPECT_NE(client.next(Millis{3000}), Client::Next::kSilence) << "sooner than proxy_timeout";
  EXPECT_NE(client.next(), Client::Next::kBytes);
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.totals.refused_access == 1 && now.live() == 0; }));
  EXPECT_TRUE(daemon.wait_for_log("PROXY header refused")) << daemon.log();
  Client next(Endpoint::v4(daemon.port()), kBalancer);
  next.send_all(kV1 + "on");
  EXPECT_EQ(next.receive(2), "on");
}

INSTANTIATE_TEST_SUITE_P(
    Headers, BadHeader,
    ::testing::Values(Header{"http", "GET / HTTP/1.1\r\n\r\n", ""},
                      Header{"v1_bad_address", "PROXY TCP4 203.0.113 198.51.100.1 1 2\r\n", ""},
                      Header{"v1_endless", "PROXY TCP4 " + std::string(200, '1'), ""},
                      Header{"v2_too_short", v2(1, 0x11, kV4Block.substr(0, 6)), ""},
                      Header{"v2_unknown_command", v2(7, 0x11, kV4Block), ""}),
    [](const auto& row) { return row.param.name; });

TEST(ProxyHeader, ThatDoesNotComeEndsAtItsTimeout) {
  Daemon daemon({.config = proxied("proxy_timeout = 800ms\n")});
  const auto start = Clock::now();
  Client silent(Endpoint::v4(daemon.port()), kBalancer);
  Client dripping(Endpoint::v4(daemon.port()), kBalancer);
  Client in_time(Endpoint::v4(daemon.port()), kBalancer);
  in_time.send_all(kV2);

  for (size_t i = 0; dripping.next(Millis{100}) == Client::Next::kSilence; ++i) {
    ASSERT_LT(i, kV1.size() - 1) << "it has all but come";
    dripping.send_all(kV1.substr(i, 1));
  }

  EXPECT_GE(since(start), Millis{800} - kEarly);
  EXPECT_NE(silent.next(), Client::Next::kSilence);
  EXPECT_LE(since(start), Millis{1400});
  EXPECT_EQ(in_time.exchange("still here"), "still here");
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.totals.refused_access == 2; }));
}

TEST(ProxyHeader, OfAStrangerIsRefusedUnread) {
  Daemon daemon({.config = proxied()});

  Client stranger(Endpoint::v4(daemon.port()), "127.0.0.3");
  static_cast<void>(::send(stranger.fd(), kV1.data(), kV1.size(), MSG_NOSIGNAL));

  EXPECT_NE(stranger.next(Millis{3000}), Client::Next::kSilence);
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.totals.refused_access == 1 && now.live() == 0; }));
}

std::string named(const std::string& ip) {
  return "PROXY TCP4 " + ip + " 198.51.100.1 4711 80\r\n";
}

TEST(ProxyHeader, NamesTheClientThatLimitsAndListsAreAbout) {
  Daemon daemon({.config = proxied("limit_per_ip = 1\ndeny = 203.0.113.66\n")});
  const Endpoint server = Endpoint::v4(daemon.port());
  Client first(server, kBalancer);
  first.send_all(named("203.0.113.7") + "x");
  ASSERT_EQ(first.receive(1), "x");

  Client again(server, kBalancer);
  again.send_all(named("203.0.113.7") + "x");
  Client other(server, kBalancer);
  other.send_all(named("203.0.113.8") + "x");
  Client denied(server, kBalancer);
  denied.send_all(named("203.0.113.66") + "x");

  EXPECT_NE(again.next(), Client::Next::kBytes);
  EXPECT_EQ(other.receive(1), "x");
  EXPECT_NE(denied.next(), Client::Next::kBytes);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.totals.refused_limit == 1 && now.totals.refused_access == 1;
  }));
}

}  // namespace
}  // namespace drover::test

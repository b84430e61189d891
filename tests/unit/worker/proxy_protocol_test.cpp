#include "worker/proxy_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace drover {
namespace {

using namespace std::string_literals;
using State = ProxyHeader::State;

const std::string kV2 = "\r\n\r\n\0\r\nQUIT\n"s;

struct Good {
  const char* name;
  std::string header;
  std::string source;  // empty: the socket's own peer
};

class GoodProxyHeader : public testing::TestWithParam<Good> {};

TEST_P(GoodProxyHeader, SaysTheSourceAndItsLength) {
  const ProxyHeader header = parse_proxy_header(GetParam().header + "payload");

  ASSERT_EQ(header.state, State::kComplete) << header.error;
  EXPECT_EQ(header.length, GetParam().header.size());
  EXPECT_EQ(header.has_source, !GetParam().source.empty());
  if (header.has_source) {
    EXPECT_EQ(header.source.to_string(), GetParam().source);
  }
}

TEST_P(GoodProxyHeader, NeedsMoreAtEverySplit) {
  const std::string& whole = GetParam().header;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(parse_proxy_header(whole.substr(0, size)).state, State::kNeedMore) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, GoodProxyHeader,
    testing::Values(
        Good{"v1_tcp4", "PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n", "192.0.2.1:5000"},
        Good{"v1_tcp6", "PROXY TCP6 2001:db8::1 ::1 65535 80\r\n", "[2001:db8::1]:65535"},
        Good{"v1_unknown", "PROXY UNKNOWN\r\n", ""},
        Good{"v1_unknown_with_words", "PROXY UNKNOWN ff::1 ff::2 1 2\r\n", ""},
        Good{"v2_local", kV2 + "\x20\x00\x00\x00"s, ""},
        Good{"v2_local_with_addresses", kV2 + "\x20\x11\x00\x0c"s + std::string(12, 'x'), ""},
        Good{"v2_unspecified", kV2 + "\x21\x00\x00\x00"s, ""},
        Good{"v2_tcp4", kV2 + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x00\x50"s,
             "192.0.2.1:5000"},
        Good{
            "v2_tcp4_with_tlv",
            kV2 +
                "\x21\x11\x00\x10\xc0\x00\x02\x01\xc0\x00\x02\x02\x13\x88\x00\x50\x04\x00\x01\x41"s,
            "192.0.2.1:5000"},
        Good{"v2_tcp6",
             kV2 + "\x21\x21\x00\x24"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01"s +
                 std::string(16, '\0') + "\x13\x88\x00\x50"s,
             "[2001:db8::1]:5000"},
        Good{"v2_unix", kV2 + "\x21\x31\x00\xd8"s + std::string(216, '\0'), "unix:"}),
    [](const auto& row) { return row.param.name; });

struct Bad {
  const char* name;
  std::string bytes;
  const char* error;
};

class BadProxyHeader : public testing::TestWithParam<Bad> {};

TEST_P(BadProxyHeader, IsRefusedWithTheReason) {
  const ProxyHeader header = parse_proxy_header(GetParam().bytes);

  EXPECT_EQ(header.state, State::kMalformed);
  EXPECT_THAT(header.error, testing::HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadProxyHeader,
    testing::Values(Bad{"other_protocol", "GET / HTTP/1.0\r\n", "no PROXY header"},
                    Bad{"almost", "PROXI", "no PROXY header"},
                    Bad{"v1_family", "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n", "unknown family"},
                    Bad{"v1_port", "PROXY TCP4 1.1.1.1 2.2.2.2 70000 2\r\n", "bad port"},
                    Bad{"v1_port_missing", "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "bad port"},
                    Bad{"v1_port_trailing", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n", "bad port"},
                    Bad{"v1_address", "PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n", "bad address"},
                    Bad{"v1_v6_in_v4", "PROXY TCP4 ::1 2.2.2.2 1 2\r\n", "bad address"},
                    Bad{"v1_too_long", "PROXY UNKNOWN " + std::string(100, 'x'), "too long"},
                    Bad{"v2_version", kV2 + "\x11\x11\x00\x00"s, "unknown version"},
                    Bad{"v2_command", kV2 + "\x22\x11\x00\x00"s, "unknown command"},
                    Bad{"v2_family", kV2 + "\x21\x41\x00\x00"s, "unknown family"},
                    Bad{"v2_short_v4", kV2 + "\x21\x11\x00\x01x"s, "too short"},
                    Bad{"v2_short_v6", kV2 + "\x21\x21\x00\x01x"s, "too short"},
                    Bad{"v2_short_unix", kV2 + "\x21\x31\x00\x01x"s, "too short"},
                    Bad{"v2_huge", kV2 + "\x21\x11\xff\xff"s, "too long"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover

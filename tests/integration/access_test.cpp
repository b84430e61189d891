// Who gets in by address: the first allow or deny that fits decides, and whoever is refused is
// closed at once without a byte and counted.
#include <gtest/gtest.h>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

struct Rules {
  const char* name;
  std::string lines;
  std::vector<std::string> served;  // sources
  std::vector<std::string> refused;
};

void PrintTo(const Rules& row, std::ostream* out) { *out << row.name; }

class AccessList : public ::testing::TestWithParam<Rules> {};

bool is_closed_without_a_byte(Client& client) {
  const Client::Next next = client.next();
  return next == Client::Next::kEnd || next == Client::Next::kError;
}

TEST_P(AccessList, IsReadInOrder) {
  Daemon daemon({.config = config("workers = 2", echo_server("exclusive") + GetParam().lines +
                                                     "access_log = {dir}/access.log\n")});
  const Endpoint server = Endpoint::v4(daemon.port());

  for (const std::string& source : GetParam().served) {
    EXPECT_EQ(Client(server, source).exchange("in"), "in") << source;
  }
  for (const std::string& source : GetParam().refused) {
    Client client(server, source);
    EXPECT_TRUE(is_closed_without_a_byte(client)) << source;
  }

  const auto refused = static_cast<std::int64_t>(GetParam().refused.size());
  EXPECT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.totals.refused_access == refused; }));
  EXPECT_EQ(wait_for_access_lines(daemon.file("access.log"), GetParam().served.size()).size(),
            GetParam().served.size())
      << "the log tells of those who were served";
}

INSTANTIATE_TEST_SUITE_P(
    Rules, AccessList,
    ::testing::Values(
        Rules{"none", "", {"127.0.0.1", "127.0.0.2"}, {}},
        Rules{"deny_one", "deny = 127.0.0.2\n", {"127.0.0.1", "127.0.0.3"}, {"127.0.0.2"}},
        Rules{"allow_some_deny_the_rest",
              "allow = 127.0.0.2\nallow = 127.0.0.8/29\ndeny = all\n",
              {"127.0.0.2", "127.0.0.8", "127.0.0.15"},
              {"127.0.0.1", "127.0.0.7", "127.0.0.16"}},
        Rules{"exception_before_its_range",
              "deny = 127.0.0.4\nallow = 127.0.0.0/28\ndeny = all\n",
              {"127.0.0.3", "127.0.0.5"},
              {"127.0.0.4", "127.0.0.16"}},
        Rules{"exception_behind_its_range",
              "allow = 127.0.0.0/28\ndeny = 127.0.0.4\ndeny = all\n",
              {"127.0.0.3", "127.0.0.4"},
              {"127.0.0.16"}},
        Rules{"deny_all_first", "deny = all\nallow = 127.0.0.2\n", {}, {"127.0.0.1", "127.0.0.2"}}),
    [](const auto& row) { return row.param.name; });

TEST(AccessListOfFamilies, TellsIpv4Ipv6AndUnixApart) {
  Daemon daemon(
      {.config = config("workers = 2", echo_server("exclusive") +
                                           "listen = [::1]:{port}\nlisten = unix:{dir}/echo.sock\n"
                                           "deny = 127.0.0.0/8\ndeny = unix:\nallow = ::1\n")});
  Client v4(Endpoint::v4(daemon.port()));
  Client unix_client(Endpoint::unix_path(daemon.file("echo.sock")));

  EXPECT_TRUE(is_closed_without_a_byte(v4));
  EXPECT_TRUE(is_closed_without_a_byte(unix_client));
  EXPECT_EQ(Client(Endpoint::v6(daemon.port())).exchange("six"), "six");
}

// An IPv4 client of a dual-stack listener is the IPv4 address it is.
TEST(AccessListOfFamilies, KnowsAMappedIpv4Client) {
  Daemon daemon(
      {.config = config("workers = 1", echo_server("exclusive", "[::]:{port} v6only=off") +
                                           "deny = 127.0.0.2\nallow = 127.0.0.0/8\ndeny = all\n")});
  Client denied(Endpoint::v4(daemon.port()), "127.0.0.2");

  EXPECT_TRUE(is_closed_without_a_byte(denied));
  EXPECT_EQ(Client(Endpoint::v4(daemon.port()), "127.0.0.3").exchange("four"), "four");
  Client v6(Endpoint::v6(daemon.port()));
  EXPECT_TRUE(is_closed_without_a_byte(v6));
}

}  // namespace
}  // namespace drover::test

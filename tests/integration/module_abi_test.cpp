// Modules built for another SDK: what is refused, with which words, and what is accepted as
// designed.
#include <gtest/gtest.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

const std::string kGood = config("workers = 1", echo_server("exclusive"));

std::string with_module(const std::string& variant) {
  return config("workers = 1\nload = " + built("test-modules/mismatched_" + variant + ".so"),
                echo_server("exclusive") +
                    "\n[server other]\nlisten = 127.0.0.1:{port2}\nprotocol = mismatched\n");
}

struct Mismatch {
  const char* name;  // of the variant
  const char* reason;
};

class MismatchTest : public testing::TestWithParam<Mismatch> {};

TEST_P(MismatchTest, IsRefusedWithTheReasonAndTheRunningDaemonGoesOn) {
  Daemon daemon({.config = kGood});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("before"), "before");

  const CommandResult reload = daemon.reload(with_module(GetParam().name));
  const CommandResult tried = daemon.run_command({"-t"});

  for (const CommandResult& result : {reload, tried}) {
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.both().find(std::string("mismatched_") + GetParam().name +
                                 ".so): " + GetParam().reason),
              std::string::npos)
        << result.both();
  }
  EXPECT_EQ(client.exchange("after"), "after");
}

INSTANTIATE_TEST_SUITE_P(
    All, MismatchTest,
    testing::Values(
        Mismatch{"other_abi", "built for ABI 2, this drover has ABI 1: rebuild"},
        Mismatch{"too_small", "its drover_module says it has 16 bytes, expected"},
        Mismatch{"too_large", "its drover_module says it has 1099511627776 bytes, expected"},
        Mismatch{"cut_field", "its drover_module says it has"},
        Mismatch{"no_name", "its name is missing or not letters, digits, - and _"},
        Mismatch{"huge_state", "wants 1073741824 bytes of state a connection, at most 1048576"}),
    [](const auto& row) { return row.param.name; });

class OtherSdkTest : public testing::TestWithParam<const char*> {};

TEST_P(OtherSdkTest, ServesAsDesigned) {
  Daemon daemon({.config = with_module(GetParam())});
  Client client(Endpoint::v4(daemon.port(2)));

  EXPECT_EQ(client.exchange("hello"), "hello");
  client.half_close();
  EXPECT_EQ(client.next(), Client::Next::kEnd) << "Drover answers where the module has no hook";
  EXPECT_EQ(daemon.status().serving()->workers[0].restarts, 0);
}

INSTANTIATE_TEST_SUITE_P(Sizes, OtherSdkTest, testing::Values("older", "newer"),
                         [](const auto& row) { return row.param; });

}  // namespace
}  // namespace drover::test

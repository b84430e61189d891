// max_connections and limit_per_ip are exact, however many workers race, over reloads and over the
// death of a worker.
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/integration/strategies.h"
#include "tests/support/crowd.h"
#include "tests/support/daemon.h"
#include "tests/support/net_tables.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

std::string limited(const std::string& limits, const std::string& strategy = "exclusive") {
  return config("workers = 4\nworker_shutdown_timeout = 60s", echo_server(strategy) + limits);
}

std::vector<std::string> sources(int count) {
  std::vector<std::string> addresses;
  for (int i = 0; i < count; ++i) addresses.push_back("127.0.0." + std::to_string(2 + i));
  return addresses;
}

// How many of `count` connections from anywhere are served now; they stay in `kept`.
size_t get_in(Daemon& daemon, size_t count, std::vector<Crowd>& kept) {
  kept.emplace_back(Endpoint::v4(daemon.port()),
                    CrowdOptions{.count = count, .sources = sources(8), .threads = 4});
  EXPECT_TRUE(kept.back().wait_until_settled());
  return kept.back().served();
}

bool wait_for_connections(Daemon& daemon, std::int64_t count) {
  return daemon.wait_for_status(
      [count](const DaemonStatus& now) { return now.servers.at(0).connections == count; });
}

class Limits : public ::testing::TestWithParam<const char*> {};

TEST_P(Limits, LetExactlyMaxConnectionsInWhileFourWorkersRace) {
  Daemon daemon({.config = limited("max_connections = 50\n", GetParam())});
  std::vector<Crowd> crowds;
  crowds.reserve(2);

  EXPECT_EQ(get_in(daemon, 400, crowds), 50U);

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.live() == 50 && now.totals.refused_limit == 350; }));
  crowds.front().leave(7);
  EXPECT_TRUE(wait_for_connections(daemon, 43));
  EXPECT_EQ(get_in(daemon, 60, crowds), 7U);
  EXPECT_EQ(crowds.front().served(), 43U);
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.totals.refused_limit == 350 + 53; }));
}

INSTANTIATE_TEST_SUITE_P(Strategies, Limits, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(LimitPerIp, CountsEachAddressByItself) {
  Daemon daemon({.config = limited("limit_per_ip = 3\n", "reuseport")});

  for (const std::string& source : sources(8)) {
    Crowd crowd(Endpoint::v4(daemon.port()), {.count = 20, .sources = {source}, .threads = 4});
    ASSERT_TRUE(crowd.wait_until_settled());
    EXPECT_EQ(crowd.served(), 3U) << source;
  }
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.totals.refused_limit == 8 * 17; }));
}

// An address at its own limit takes nothing from the others while it is being refused.
TEST(LimitPerIp, LeavesTheServersLimitToOthers) {
  Daemon daemon({.config = limited("max_connections = 20\nlimit_per_ip = 2\n")});
  Crowd greedy(Endpoint::v4(daemon.port()), {.count = 100, .sources = {"127.0.0.9"}, .threads = 4});

  Crowd others(Endpoint::v4(daemon.port()), {.count = 14, .sources = sources(7), .threads = 2});

  EXPECT_TRUE(others.wait_until_settled());
  EXPECT_EQ(others.served(), 14U);
  EXPECT_TRUE(greedy.wait_until_settled());
  EXPECT_EQ(greedy.served(), 2U);
  EXPECT_TRUE(wait_for_connections(daemon, 16));
}

TEST(LimitsOverAReload, CountTheConnectionsThatDrain) {
  Daemon daemon({.config = limited("max_connections = 10\n")});
  std::vector<Crowd> crowds;
  crowds.reserve(4);
  ASSERT_EQ(get_in(daemon, 10, crowds), 10U);

  ASSERT_EQ(daemon.reload(limited("max_connections = 10\n")).status, 0);

  EXPECT_EQ(get_in(daemon, 20, crowds), 0U);
  crowds.front().leave(4);
  EXPECT_TRUE(wait_for_connections(daemon, 6));
  EXPECT_EQ(get_in(daemon, 20, crowds), 4U);
  ASSERT_EQ(daemon.reload(limited("max_connections = 13\n")).status, 0);
  EXPECT_EQ(get_in(daemon, 20, crowds), 3U);
  EXPECT_EQ(crowds.front().served(), 6U);
}

// How many connections it has, and its pid.
std::pair<size_t, pid_t> busiest_worker(Daemon& daemon) {
  std::pair<size_t, pid_t> most;
  for (const WorkerProcess& worker : daemon.workers()) {
    most = std::max(most, {clients_of(worker.pid, daemon.port()).size(), worker.pid});
  }
  return most;
}

TEST(LimitsAfterAKill, GetTheDeadWorkersShareBack) {
  Daemon daemon({.config = limited("max_connections = 20\n", "acceptor")});
  std::vector<Crowd> crowds;
  crowds.reserve(3);
  ASSERT_EQ(get_in(daemon, 40, crowds), 20U);
  const auto [its_own, victim] = busiest_worker(daemon);

  kill_now(victim);

  EXPECT_TRUE(wait_for_connections(daemon, static_cast<std::int64_t>(20 - its_own)));
  EXPECT_EQ(get_in(daemon, 40, crowds), its_own);
  EXPECT_EQ(get_in(daemon, 10, crowds), 0U);
  EXPECT_EQ(crowds.front().served(), 20 - its_own);
}

TEST(LimitsOfAUnixSocket, CountItsConnectionsWithTheOthers) {
  Daemon daemon({.config = limited("listen = unix:{dir}/echo.sock\nmax_connections = 6\n"
                                   "limit_per_ip = 4\n")});

  Crowd local(Endpoint::unix_path(daemon.file("echo.sock")), {.count = 5});
  ASSERT_TRUE(local.wait_until_settled());
  Crowd remote(Endpoint::v4(daemon.port()), {.count = 5});
  ASSERT_TRUE(remote.wait_until_settled());

  EXPECT_EQ(local.served(), 5U) << "a unix client has no address to be limited by";
  EXPECT_EQ(remote.served(), 1U);
}

}  // namespace
}  // namespace drover::test

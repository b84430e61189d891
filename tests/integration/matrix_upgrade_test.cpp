// Upgrades and the death of the master under checked load, for every strategy: no connection is
// refused, reset, cut short or kept waiting.
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include "tests/integration/reload_cell.h"

namespace drover::test {
namespace {

constexpr int kQueuedWhileFrozen = 10;

class UpgradeMatrix : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::string with_workers(int workers) {
    return config(drover_lines(workers) + "max_draining = 16\n", two_servers(GetParam()));
  }
  static LoadOptions load_on(Daemon& daemon) {
    return reload_load({Endpoint::v4(daemon.port(1)), Endpoint::v4(daemon.port(2))});
  }
};

INSTANTIATE_TEST_SUITE_P(All, UpgradeMatrix, ::testing::ValuesIn(kStrategies), strategy_name);

// Nobody is left but one master and this generation's processes.
bool has_only_generation(const Daemon& daemon, int generation) {
  const std::size_t acceptors = daemon.acceptor_pid() != 0 ? 1 : 0;
  return daemon.processes().size() == daemon.workers_of(generation).size() + acceptors + 1;
}

void upgrade(Daemon& daemon) {
  const CommandResult result = daemon.run_command({"-s", "upgrade"});
  ASSERT_EQ(result.status, 0) << result.both();
}

TEST_P(UpgradeMatrix, TwentyInARowLoseAndLeakNothing) {
  Daemon daemon({.config = with_workers(2), .daemonize = true});
  LoadOptions options = load_on(daemon);
  options.pinging = 0;
  LoadGenerator load(options);
  ASSERT_TRUE(load.wait_for_completed(50));
  upgrade(daemon);
  ASSERT_TRUE(wait_until_gone(daemon, 1));
  ASSERT_TRUE(wait_until([&] { return has_only_generation(daemon, 2); }));
  const int descriptors = fd_count(daemon.master_pid());

  for (int round = 1; round <= 20; ++round) {
    if (round % 10 == 1) wait_for_loaded_moment(load, daemon.port());
    daemon.rewrite_config(with_workers(round % 2 == 0 ? 2 : 3));
    upgrade(daemon);
  }

  EXPECT_TRUE(load.wait_for_completed(50));
  expect_lossless(load);
  EXPECT_TRUE(wait_until([&] { return has_only_generation(daemon, 22); }));
  EXPECT_TRUE(wait_until([&] { return fd_count(daemon.master_pid()) <= descriptors; }))
      << fd_count(daemon.master_pid()) << " descriptors after, " << descriptors << " before";
}

TEST_P(UpgradeMatrix, WithFewerWorkersWhileTheOldOnesAreFrozen) {
  Daemon daemon({.config = with_workers(5), .daemonize = true});
  LoadGenerator load(load_on(daemon));
  ASSERT_TRUE(load.wait_for_completed(50));

  std::optional<Frozen> frozen;
  frozen.emplace(daemon);
  wait_for_loaded_moment(load, daemon.port(), kQueuedWhileFrozen);
  daemon.rewrite_config(with_workers(2));
  upgrade(daemon);
  frozen.reset();

  EXPECT_TRUE(load.wait_for_completed(200));
  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
}

TEST_P(UpgradeMatrix, ThatFailsLateChangesNothing) {
  const std::string dying = "\n[server third]\nlisten = 127.0.0.1:{port3}\nprotocol = dying\n";
  const std::string load_line = "load = " + built("test-modules/dying.so") + "\n";
  Daemon daemon({.config = with_workers(3)});
  LoadGenerator load(load_on(daemon));
  ASSERT_TRUE(load.wait_for_completed(50));

  wait_for_loaded_moment(load, daemon.port());
  daemon.rewrite_config(config(drover_lines(5) + load_line, two_servers("reuseport") + dying));
  EXPECT_EQ(daemon.run_command({"-s", "upgrade"}).status, 1);

  EXPECT_TRUE(load.wait_for_completed(200));
  expect_lossless(load);
  EXPECT_EQ(daemon.workers_of(1).size(), 3U);
}

TEST_P(UpgradeMatrix, TheMastersDeathAndANewStartLoseNothing) {
  Daemon daemon({.config = with_workers(3)});
  LoadGenerator load(load_on(daemon));
  ASSERT_TRUE(load.wait_for_completed(50));

  wait_for_loaded_moment(load, daemon.port());
  daemon.signal_master(SIGKILL);
  ASSERT_TRUE(daemon.wait_for_log("serving on"));
  EXPECT_TRUE(load.wait_for_completed(100));
  daemon.rewrite_config(with_workers(2));
  wait_for_loaded_moment(load, daemon.port());
  daemon.start_again();

  EXPECT_TRUE(load.wait_for_completed(200));
  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
  EXPECT_EQ(daemon.workers_of(2).size(), 2U);
}

// The master dies while another takes its place.
TEST_P(UpgradeMatrix, TheMastersDeathDuringAnUpgradeLosesNothing) {
  const std::string slow = "\n[server slow]\nlisten = 127.0.0.1:{port3}\nprotocol = slow_start\n";
  const std::string load_line = "load = " + built("test-modules/slow_start.so") + "\n";
  Daemon daemon({.config = with_workers(2)});
  LoadGenerator load(load_on(daemon));
  ASSERT_TRUE(load.wait_for_completed(50));
  const pid_t former = daemon.master_pid();

  daemon.rewrite_config(config(drover_lines(2) + load_line, two_servers(GetParam()) + slow));
  daemon.signal_master(SIGUSR2);
  ASSERT_TRUE(wait_until([&] { return !daemon.workers_of(2).empty(); }));
  kill(former, SIGKILL);

  EXPECT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.serving() && now.serving()->number == 2; }));
  EXPECT_TRUE(load.wait_for_completed(200));
  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
}

}  // namespace
}  // namespace drover::test

// Upgrades, reloads and the death of a worker while streams of every protocol are opened without a
// pause: no stream that could finish is cut, and no request is lost.
#include "tests/integration/mux_load.h"
#include "tests/integration/reload_cell.h"
#include "tests/support/net_tables.h"

namespace drover::test {
namespace {

using mux::Protocol;

bool has_common(const std::set<std::string>& some, const std::set<std::string>& others) {
  return std::ranges::any_of(some, [&](const auto& name) { return others.contains(name); });
}

class MuxEvents : public testing::TestWithParam<Protocol> {
 protected:
  static DaemonOptions options() {
    return {.config = mux_config(
                {.drover = "worker_shutdown_timeout = 60s\nmax_draining = 16\n", .workers = 2}),
            .daemonize = true};
  }
  static void expect_nothing_lost(MuxLoad& load) {
    EXPECT_TRUE(load.run_until_completed(200));
    EXPECT_TRUE(load.finish());
    EXPECT_EQ(load.failures(), "");
    EXPECT_GT(load.across(), 0U) << "no stream was spoken on before and after";
    EXPECT_GT(load.least_open(), 0U);
  }
};

TEST_P(MuxEvents, AnUpgradeCutsNoStreamAndLosesNoRequest) {
  Daemon daemon(options());
  MuxLoad load(daemon, GetParam());
  ASSERT_TRUE(load.run_until_completed(50));
  const pid_t former = daemon.master_pid();

  ASSERT_TRUE(load.wait_for_loaded_moment());
  const CommandResult upgrade = load.run_beside({"-s", "upgrade"});

  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_NE(daemon.master_pid(), former);
  expect_nothing_lost(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
}

TEST_P(MuxEvents, ReloadsCutNoStreamAndLoseNoRequest) {
  Daemon daemon(options());
  MuxLoad load(daemon, GetParam());
  ASSERT_TRUE(load.run_until_completed(50));

  ASSERT_TRUE(load.wait_for_loaded_moment());
  for (int generation = 2; generation <= 4; ++generation)
    expect_reloaded(load.run_beside({"-s", "reload"}), generation);

  expect_nothing_lost(load);
  for (int generation = 1; generation <= 3; ++generation)
    EXPECT_TRUE(wait_until_gone(daemon, generation));
}

// It is stopped first, so that what it serves is known exactly.
TEST_P(MuxEvents, TheKillOfAWorkerEndsItsOwnConnectionsOnly) {
  Daemon daemon(options());
  MuxLoad load(daemon, GetParam());
  ASSERT_TRUE(load.run_until_completed(50));
  const pid_t victim = daemon.worker_pid(0);
  const auto own = [&] { return clients_of(victim, daemon.port()); };
  ASSERT_TRUE(load.run_until([&] {
    const std::size_t owned = own().size();
    return owned > 0 && owned < load.connections().size();
  }));

  ASSERT_TRUE(load.wait_for_loaded_moment());
  stop(victim);
  const std::set<std::string> owned = own();
  std::cout << "of the worker that is killed: connections=" << owned.size() << "\n";
  load.excuse(owned);
  kill_now(victim);

  EXPECT_TRUE(load.run_until([&] { return !has_common(load.connections(), owned); }));
  expect_nothing_lost(load);
  EXPECT_GT(load.ended().size(), 0U);
  EXPECT_TRUE(std::ranges::includes(owned, load.ended()));
  EXPECT_TRUE(wait_until([&] { return daemon.worker_pid(0) != 0; }));
}

INSTANTIATE_TEST_SUITE_P(All, MuxEvents,
                         testing::Values(Protocol::kSmux, Protocol::kXsmux1, Protocol::kXsmux2,
                                         Protocol::kYamux),
                         protocol_name);

}  // namespace
}  // namespace drover::test

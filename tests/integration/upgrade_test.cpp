// The binary upgrade: what follows it, and what a new binary that cannot serve leaves behind.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

// A shutdown timeout that no test waits for.
std::string text(const std::string& drover = "") {
  return config("workers = 2\nworker_shutdown_timeout = 60s\nmodule_dir = " + built("modules") +
                    "\n" + drover,
                echo_server("exclusive"));
}

int pid_in(const std::string& path) {
  int pid = 0;
  std::ifstream(path) >> pid;
  return pid;
}

bool is_alive(const Daemon& daemon, pid_t pid) {
  const std::vector<pid_t> all = daemon.processes();
  return std::find(all.begin(), all.end(), pid) != all.end();
}

TEST(Upgrade, KeepsConnectionsAndHandsOverAllThatSaysWhoTheMasterIs) {
  Daemon daemon({.config = text(), .daemonize = true});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  const pid_t former = daemon.master_pid();

  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});

  const pid_t master = daemon.master_pid();
  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_EQ(upgrade.output, "upgraded: pid " + std::to_string(master) + "\n");
  EXPECT_NE(master, former);
  EXPECT_EQ(pid_in(daemon.file("drover.pid")), master);
  EXPECT_EQ(daemon.status().pid, master);
  EXPECT_EQ(daemon.status().serving()->number, 2);
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_TRUE(is_alive(daemon, former)) << "it sees its connection off";
  client.close();
  EXPECT_TRUE(wait_until([&] { return !is_alive(daemon, former); }));
  EXPECT_TRUE(std::filesystem::exists(daemon.file("control.sock")));
  EXPECT_EQ(pid_in(daemon.file("drover.pid")), master);
}

TEST(Upgrade, IsAskedForByASignalToo) {
  Daemon daemon({.config = text(), .daemonize = true});
  const pid_t former = daemon.master_pid();

  daemon.signal_master(SIGUSR2);

  EXPECT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& status) { return status.pid != former && status.serving(); }));
  EXPECT_TRUE(wait_until([&] { return !is_alive(daemon, former); }));
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(Upgrade, KeepsTheCounters) {
  Daemon daemon({.config = text()});
  for (int i = 0; i < 5; ++i) ASSERT_EQ(answer(daemon), "hello");
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");

  ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);

  EXPECT_EQ(daemon.status().totals.accepted, 6);
  ASSERT_EQ(client.exchange("two"), "two");
  client.close();
  EXPECT_TRUE(daemon.wait_for_log("predecessor gone: "));
  EXPECT_EQ(daemon.status().totals.accepted, 6);
  EXPECT_EQ(daemon.status().totals.closed, 6);
  EXPECT_EQ(daemon.status().totals.bytes_in, 5 * 5 + 6);
}

TEST(Upgrade, TakesTheConfigurationOnDiskAndGivesUpWhatItNamesNoMore) {
  const std::string two =
      echo_server("shared") + echo_server("shared", "unix:{dir}/e.sock", "unix");
  const std::string drover = "workers = 1\nmodule_dir = " + built("modules") + "\n";
  Daemon daemon({.config = config(drover, two), .daemonize = true});

  daemon.rewrite_config(
      config(drover, echo_server("reuseport") + echo_server("shared", "127.0.0.1:{port2}", "new")));
  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});

  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(answer(daemon, 2), "hello");
  EXPECT_FALSE(std::filesystem::exists(daemon.file("e.sock")));
}

TEST(Upgrade, StoppingTheNewMasterEndsWhatDrainsOfTheFormer) {
  Daemon daemon({.config = text(), .daemonize = true});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);

  const CommandResult stop = daemon.run_command({"-s", "stop"});

  EXPECT_EQ(stop.status, 0) << stop.both();
  EXPECT_TRUE(daemon.workers().empty()) << "it answers when they are gone";
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_FALSE(std::filesystem::exists(daemon.file("drover.pid")));
  EXPECT_FALSE(std::filesystem::exists(daemon.file("control.sock")));
}

// With what drains there, and nothing of its successor's.
TEST(Upgrade, TheFormerMasterObeysATerm) {
  Daemon daemon({.config = text() + "listen = unix:{dir}/echo.sock\n", .daemonize = true});
  const pid_t former = daemon.master_pid();
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);
  ASSERT_TRUE(is_alive(daemon, former));

  kill(former, SIGTERM);

  EXPECT_TRUE(wait_until([&] { return !is_alive(daemon, former); }));
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(daemon.status().serving()->workers.size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(daemon.file("echo.sock")));
  EXPECT_NE(pid_in(daemon.file("drover.pid")), former);
}

// --- at awkward moments ---

// A new master that is stopped at a line: with "master.taking_over" its workers serve already, and
// nobody has been told.
class PausedUpgrade {
 public:
  explicit PausedUpgrade(const char* point, const std::string& config_text = text())
      : daemon_({.config = config_text,
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "@" + pauses_.file("rules")}},
                 .daemonize = true}) {
    former_ = daemon_.master_pid();
    // It stays for this one: a stopped process whose parent leaves is continued by the kernel.
    held_.emplace(Endpoint::v4(daemon_.port()));
    EXPECT_EQ(held_->exchange("held"), "held");
    write_file(pauses_.file("rules"), std::string(point) + ":1");
    daemon_.signal_master(SIGUSR2);
    coming_ = daemon_.wait_for_paused();
    write_file(pauses_.file("rules"), "");
  }
  Daemon& daemon() { return daemon_; }
  [[nodiscard]] pid_t former() const { return former_; }
  [[nodiscard]] pid_t coming() const { return coming_; }

 private:
  TempDir pauses_;
  Daemon daemon_;
  std::optional<Client> held_;
  pid_t former_ = 0;
  pid_t coming_ = 0;
};

// Its workers serve, and have no place: the former master, who is the judge, goes on.
TEST(UpgradeCutShort, BeforeItIsSaidLeavesTheFormerMasterAndNobodyElse) {
  PausedUpgrade upgrade("master.taking_over");
  Daemon& daemon = upgrade.daemon();

  kill_now(upgrade.coming());

  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(2).empty(); }));
  EXPECT_EQ(daemon.workers_of(1).size(), 2U);
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(daemon.status().pid, upgrade.former());
  EXPECT_EQ(pid_in(daemon.file("drover.pid")), upgrade.former());
  EXPECT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);
  EXPECT_EQ(answer(daemon), "hello");
}

// The other way round: the former one drains, and who is started next takes over from the orphans.
TEST(UpgradeCutShort, AfterItIsSaidLeavesOrphansForTheNext) {
  PausedUpgrade upgrade("master.succeeded");
  Daemon& daemon = upgrade.daemon();
  ASSERT_TRUE(
      wait_until([&] { return title_of(upgrade.former()).starts_with("drover: former master"); }));

  kill_now(upgrade.coming());
  EXPECT_EQ(answer(daemon), "hello");
  daemon.start_again();

  EXPECT_EQ(daemon.status().serving()->number, 3);
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(2).empty(); }));
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(UpgradeCutShort, ByAStopEndsAll) {
  PausedUpgrade upgrade("master.taking_over");
  EXPECT_EQ(upgrade.daemon().run_command({"-s", "stop"}).status, 0);
  EXPECT_TRUE(upgrade.daemon().wait_gone());
}

TEST(UpgradeCutShort, ByAStopEndsWhatDrainsOfPredecessorsToo) {
  PausedUpgrade upgrade("master.succeeded");
  Daemon& daemon = upgrade.daemon();
  resume(upgrade.coming());
  ASSERT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.pid == upgrade.coming() && now.serving(); }));
  Client held(Endpoint::v4(daemon.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);
  stop(daemon.master_pid());
  daemon.signal_master(SIGUSR2);
  daemon.signal_master(SIGTERM);
  resume(daemon.master_pid());

  EXPECT_TRUE(daemon.wait_gone());
}

// As one takes an upgrade back with nginx.
TEST(UpgradeCutShort, ByATermToTheNewMasterChangesNothing) {
  const std::string servers =
      echo_server("exclusive") + echo_server("shared", "unix:{dir}/e.sock", "unix");
  Daemon daemon({.config = config("workers = 2\n", servers), .daemonize = true});
  const pid_t former = daemon.master_pid();
  daemon.rewrite_config(
      config("workers = 2\nload = " + built("test-modules/slow_start.so") + "\n",
             servers + "\n[server slow]\nlisten = 127.0.0.1:{port2}\nprotocol = slow_start\n"));
  daemon.signal_master(SIGUSR2);
  ASSERT_TRUE(wait_until([&] { return !daemon.workers_of(2).empty(); }));
  pid_t coming = 0;
  for (const pid_t pid : daemon.processes()) {
    if (title_of(pid).starts_with("drover: new master")) coming = pid;
  }
  ASSERT_NE(coming, 0);

  kill(coming, SIGTERM);

  EXPECT_TRUE(wait_until([&] { return !is_alive(daemon, coming); }));
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(Client(Endpoint::unix_path(daemon.file("e.sock"))).exchange("hello"), "hello");
  EXPECT_EQ(daemon.status().pid, former);
}

TEST(UpgradeCutShort, ByAWinchIsNotForTheFormerMasterToDrain) {
  PausedUpgrade upgrade("master.taking_over");
  Daemon& daemon = upgrade.daemon();

  kill(upgrade.former(), SIGWINCH);
  EXPECT_EQ(daemon.status().pid, upgrade.former());
  resume(upgrade.coming());

  EXPECT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.pid == upgrade.coming() && now.serving(); }));
  EXPECT_EQ(answer(daemon), "hello");
}

// --- the foreground without a service manager ---

TEST(Upgrade, InTheForegroundTheFirstMasterStaysAndEndsAsItsSuccessorEnds) {
  Daemon daemon({.config = text()});
  const pid_t first = daemon.master_pid();
  for (int i = 0; i < 3; ++i) {
    const pid_t former = daemon.master_pid();
    ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);
    ASSERT_NE(daemon.master_pid(), former);
    EXPECT_TRUE(former == first || wait_until([&] { return !is_alive(daemon, former); }));
  }
  EXPECT_TRUE(is_alive(daemon, first));
  EXPECT_EQ(daemon.program_status(), std::nullopt);

  kill(first, SIGHUP);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& status) {
    return status.serving() != nullptr && status.serving()->number == 5;
  }));
  kill(first, SIGTERM);

  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_TRUE(wait_until([&] { return daemon.program_status().has_value(); }));
  EXPECT_EQ(daemon.program_status(), 0);
}

TEST(Upgrade, TheKeeperSaysOfWhichSignalItsSuccessorDied) {
  Daemon daemon({.config = text()});
  ASSERT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);

  daemon.signal_master(SIGKILL);

  EXPECT_TRUE(wait_until([&] { return daemon.program_status().has_value(); }));
  EXPECT_EQ(daemon.program_status(), 128 + SIGKILL);
}

// --- new binaries that cannot serve ---

struct BadBinary {
  const char* name;
  std::string script;  // in the place of the binary; empty: nothing is there
  std::string why;
};

std::vector<BadBinary> bad_binaries() {
  return {
      {"missing", "", "cannot run {dir}/bin: No such file or directory"},
      {"no_program", "nonsense", "cannot run {dir}/bin: Exec format error"},
      {"exits", "#!/bin/sh\nexit 3\n", "the new binary exited with status 3 before it served"},
      {"crashes", "#!/bin/sh\nkill -SEGV $$\n",
       "the new binary was killed by signal 11 (SIGSEGV) before it served"},
      {"dies_of_a_signal_without_a_name", "#!/bin/sh\nkill -40 $$\n",
       "the new binary was killed by signal 40 (SIGRT"},
      {"hangs", "#!/bin/sh\nexec sleep 1000\n", "the new binary did not serve within 3600 ms"},
      {"does_not_know_of_upgrades",
       "#!/bin/sh\nunset DROVER_HERITAGE\nexec " + built("drover") + " \"$@\"\n",
       "the new binary exited with status 1 before it served"},
  };
}

class BadBinaryTest : public ::testing::TestWithParam<BadBinary> {};

void replace_binary(const Daemon& daemon, const std::string& script) {
  std::filesystem::remove(daemon.file("bin"));
  if (script.empty()) return;
  write_file(daemon.file("bin"), script);
  std::filesystem::permissions(daemon.file("bin"), std::filesystem::perms::owner_all);
}

TEST_P(BadBinaryTest, IsRefusedAndLeavesTheRunningOneAsItWas) {
  Daemon daemon({.config = text("ready_timeout = 300ms\n"), .binary = "{dir}/bin"});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  const std::vector<pid_t> before = daemon.processes();

  replace_binary(daemon, GetParam().script);
  const CommandResult upgrade = run_command(
      {built("drover"), "-c", daemon.config_path(), "-p", daemon.dir(), "-s", "upgrade"});

  EXPECT_EQ(upgrade.status, 1);
  EXPECT_NE(upgrade.errors.find(daemon.expand(GetParam().why)), std::string::npos)
      << upgrade.both();
  EXPECT_NE(upgrade.errors.find("the running binary goes on"), std::string::npos);
  EXPECT_EQ(daemon.processes(), before);
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(pid_in(daemon.file("drover.pid")), daemon.master_pid());
}

INSTANTIATE_TEST_SUITE_P(All, BadBinaryTest, ::testing::ValuesIn(bad_binaries()),
                         [](const auto& row) { return std::string(row.param.name); });

struct Patience {
  const char* name;
  std::string running;
  std::string on_disk;
  std::string why;
};

class UpgradePatienceTest : public ::testing::TestWithParam<Patience> {};

TEST_P(UpgradePatienceTest, IsForTheLongerOfWhatRunsAndWhatIsOnDisk) {
  Daemon daemon(
      {.config = text("ready_timeout = " + GetParam().running + "\n"), .binary = "{dir}/bin"});
  replace_binary(daemon, "#!/bin/sh\nexec sleep 1000\n");
  daemon.rewrite_config(text("ready_timeout = " + GetParam().on_disk + "\n"));

  const CommandResult upgrade = run_command(
      {built("drover"), "-c", daemon.config_path(), "-p", daemon.dir(), "-s", "upgrade"});

  EXPECT_NE(upgrade.errors.find(GetParam().why), std::string::npos) << upgrade.both();
}

INSTANTIATE_TEST_SUITE_P(
    All, UpgradePatienceTest,
    ::testing::Values(Patience{"longer_on_disk", "100ms", "400ms", "within 3800 ms"},
                      Patience{"shorter_on_disk", "400ms", "100ms", "within 3800 ms"},
                      Patience{"unreadable_on_disk", "300ms", "long", "within 3600 ms"}),
    [](const auto& row) { return std::string(row.param.name); });

// --- new binaries that would serve, were it not for ... ---

struct Refusal {
  const char* name;
  std::string drover;
  std::string servers;
  std::string faults;
  std::string why;
};

std::vector<Refusal> refusals() {
  const std::string third = "\n[server third]\nlisten = 127.0.0.1:{port3}\nprotocol = ";
  const std::string dying = built("test-modules/dying.so");
  return {
      {"broken_config", "workers = many\n", "", "", "workers: "},
      {"missing_module", "load = none\n", "", "", "none.so: No such file"},
      {"workers_that_die", "load = " + dying + "\n", third + "dying\n", "",
       "was killed by signal 6 (SIGABRT)"},
      {"never_ready", "ready_timeout = 400ms\n", "", "ready:timeout", "was not ready within"},
      {"no_fork", "", "", "fork:2+1", "fork: "},
      {"no_listen", "", third + "echo\n", "listen", "listen: "},
      {"no_channel", "", "", "upgrade_fork", "fork: Resource temporarily unavailable"},
  };
}

class UpgradeRefusalTest : public ::testing::TestWithParam<Refusal> {};

TEST_P(UpgradeRefusalTest, LeavesTheRunningOneAsItWas) {
  const TempDir faults;
  Daemon daemon({.config = text(),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "@" + faults.file("rules")}}});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  const std::vector<pid_t> before = daemon.processes();

  write_file(faults.file("rules"), GetParam().faults);
  daemon.rewrite_config(config(GetParam().drover, echo_server("exclusive") + GetParam().servers));
  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});
  write_file(faults.file("rules"), "");

  EXPECT_EQ(upgrade.status, 1) << upgrade.both();
  EXPECT_NE(upgrade.errors.find(GetParam().why), std::string::npos) << upgrade.both();
  EXPECT_TRUE(wait_until([&] { return daemon.processes() == before; }));
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_EQ(answer(daemon), "hello");
  daemon.rewrite_config(text());
  EXPECT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  EXPECT_EQ(daemon.run_command({"-s", "upgrade"}).status, 0);
  EXPECT_EQ(answer(daemon), "hello");
}

INSTANTIATE_TEST_SUITE_P(All, UpgradeRefusalTest, ::testing::ValuesIn(refusals()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace drover::test

// A reload or an upgrade whose workers crash is taken back: the former settings and modules serve
// again, whatever lies on the disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/integration/strategies.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

// A daemon whose module "fragile" lies in a folder of the test's, at first as v1.
class Rollback : public testing::Test {
 protected:
  Rollback() { install("v1"); }

  // Another file in its place, as packages and build systems replace it.
  void install(const std::string& version) const {
    const std::string there = folder_.file("fragile.so");
    std::filesystem::copy_file(built("test-modules/fragile_" + version + ".so"), there + ".new");
    std::filesystem::rename(there + ".new", there);
  }

  [[nodiscard]] std::string text(const std::string& drover,
                                 const std::string& port = "{port}") const {
    return config(
        "worker_shutdown_timeout = 60s\nload = " + folder_.file("fragile.so") + "\n" + drover,
        "\n[zone fragile]\nsize = 64k\n\n[server fragile]\nlisten = 127.0.0.1:" + port +
            "\nprotocol = fragile\n" + echo_server("exclusive", "127.0.0.1:{port2}"));
  }
  [[nodiscard]] std::string with_window(const std::string& more = "") const {
    return text("workers = 3\nrollback_window = 60s\nrollback_crashes = 1\n" + more);
  }

  // v2 and the reload that brings it.
  void bring_the_bad_one(Daemon& daemon, const std::string& config) const {
    install("v2");
    const CommandResult reload = daemon.reload(config);
    ASSERT_EQ(reload.status, 0) << reload.both();
    ASSERT_TRUE(has_left_the_former(daemon));
    ASSERT_TRUE(serves(daemon, "v2"));
  }

  static void upgrade(Daemon& daemon, const std::string& config) {
    daemon.rewrite_config(config);
    const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});
    ASSERT_EQ(upgrade.status, 0) << upgrade.both();
    ASSERT_TRUE(daemon.wait_for_log("predecessor gone: "));
  }

  [[nodiscard]] static std::string say(Daemon& daemon, const std::string& word, int port = 1) {
    Client client(Endpoint::v4(daemon.port(port)));
    client.send_all(word + "\n");
    return client.receive_some();
  }
  // Nobody but the generation that serves takes a connection any more.
  [[nodiscard]] static bool has_left_the_former(Daemon& daemon) {
    return daemon.wait_for_status(
        [](const DaemonStatus& now) { return now.generations.size() == 1; });
  }
  // In its first moment a connection may still be accepted by the generation before.
  [[nodiscard]] static bool serves(Daemon& daemon, const std::string& version, int port = 1) {
    return wait_until([&] { return say(daemon, "hello", port).starts_with(version + " "); });
  }
  [[nodiscard]] static int lines_in(const std::string& answer) {
    return std::stoi(answer.substr(answer.find(' ')));
  }
  // The worker that serves it dies, and has been missed when this returns.
  static void crash(Daemon& daemon, Client& client) {
    const std::int64_t before = daemon.status().module("fragile").crashes;
    client.send_all("break\n");
    EXPECT_NE(client.next(), Client::Next::kBytes);
    ASSERT_TRUE(daemon.wait_for_status(
        [&](const DaemonStatus& now) { return now.module("fragile").crashes == before + 1; }));
  }
  static void crash(Daemon& daemon, int times) {
    for (int i = 0; i < times; ++i) {
      Client client(Endpoint::v4(daemon.port()));
      crash(daemon, client);
    }
  }
  [[nodiscard]] static bool was_taken_back(Daemon& daemon, std::uint32_t generation) {
    return daemon.wait_for_status([&](const DaemonStatus& now) {
      return now.rollback.taken_back == generation && now.serving()->number == generation + 1;
    });
  }
  // So many copies of fragile.so, when what has retired is gone.
  [[nodiscard]] static bool keeps_images(Daemon& daemon, int count) {
    return wait_until([&] { return images_of(daemon) == count; });
  }
  static int images_of(Daemon& daemon) {
    return static_cast<int>(std::ranges::count_if(
        fd_links(daemon.status().pid),
        [](const std::string& target) { return target.starts_with("/memfd:fragile.so"); }));
  }

  TempDir folder_;
};

TEST_F(Rollback, ReturnsToTheFormerCodeByItselfAndLosesNobodyElse) {
  Daemon daemon({.config = with_window()});
  ASSERT_EQ(say(daemon, "hello"), "v1 1\n");
  bring_the_bad_one(daemon, with_window());
  EXPECT_EQ(daemon.status().rollback.former, 1U);
  EXPECT_GT(daemon.status().rollback.window_left_ms, 0);
  crash(daemon, 1);
  EXPECT_EQ(daemon.status().rollback.taken_back, 0U) << "one is forgiven";
  std::vector<Client> others;
  for (int i = 0; i < 9; ++i) {
    others.emplace_back(Endpoint::v4(daemon.port(2)));
    ASSERT_EQ(others.back().exchange("abc"), "abc");
  }
  Client last(Endpoint::v4(daemon.port()));
  last.send_all("hello\n");
  const std::string count = last.receive_some();
  const pid_t victim = owner_pid_of(last.name(), daemon.port(), worker_pids(daemon));
  const std::set<std::string> owned = clients_of(victim, daemon.port(2));

  crash(daemon, last);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(answer(daemon, 2), "hello");

  ASSERT_TRUE(was_taken_back(daemon, 2));
  EXPECT_TRUE(serves(daemon, "v1"));
  EXPECT_GT(lines_in(say(daemon, "hello")), lines_in(count)) << "the zone goes on";
  for (Client& client : others) {
    if (owned.count(client.name()) != 0) continue;
    EXPECT_EQ(client.exchange("still"), "still");
  }
  EXPECT_TRUE(daemon.log_contains(
      "generation 2 taken back: 2 workers crashed within rollback_window, more than "
      "rollback_crashes = 1; returning to what generation 1 ran."));
  EXPECT_EQ(daemon.status().rollback.former, 0U) << "what serves is the former";
}

TEST_F(Rollback, TakesTheSameFilesBackOnceMoreAndMendedOnesServe) {
  Daemon daemon({.config = with_window()});
  bring_the_bad_one(daemon, with_window());
  crash(daemon, 2);
  ASSERT_TRUE(was_taken_back(daemon, 2));

  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  ASSERT_TRUE(has_left_the_former(daemon));
  crash(daemon, 2);

  ASSERT_TRUE(was_taken_back(daemon, 4));
  EXPECT_TRUE(serves(daemon, "v1"));
  install("v1");
  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  EXPECT_EQ(daemon.status().rollback.taken_back, 0U);
  EXPECT_EQ(daemon.status().rollback.former, 5U);
}

TEST_F(Rollback, ReturnsToTheFormerSettingsToo) {
  Daemon daemon({.config = with_window()});

  bring_the_bad_one(daemon, text("workers = 1\nrollback_window = 60s\nrollback_crashes = 0\n",
                                 "{port}\nlisten = 127.0.0.1:{port3}"));
  ASSERT_TRUE(serves(daemon, "v2", 3));
  crash(daemon, 1);

  ASSERT_TRUE(was_taken_back(daemon, 2));
  EXPECT_EQ(daemon.status().serving()->workers.size(), 3U);
  EXPECT_FALSE(Client::try_connect(Endpoint::v4(daemon.port(3))));
}

// Nobody knows whether the one between is good.
TEST_F(Rollback, OfAReloadWithinTheWindowGoesBackToTheOneBeforeBoth) {
  Daemon daemon({.config = with_window()});
  bring_the_bad_one(daemon, with_window());
  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  EXPECT_EQ(daemon.status().rollback.former, 1U);
  ASSERT_TRUE(has_left_the_former(daemon));

  crash(daemon, 2);

  ASSERT_TRUE(was_taken_back(daemon, 3));
  EXPECT_TRUE(serves(daemon, "v1"));
}

TEST_F(Rollback, EndsWithItsWindowAndKeepsNothing) {
  Daemon daemon({.config = with_window()});
  ASSERT_EQ(images_of(daemon), 1);
  bring_the_bad_one(daemon, with_window());
  EXPECT_TRUE(keeps_images(daemon, 2)) << "the former's, for a return";

  const CommandResult reload =
      daemon.reload(text("workers = 3\nrollback_window = 300ms\nrollback_crashes = 1\n"));

  ASSERT_EQ(reload.status, 0) << reload.both();
  EXPECT_TRUE(daemon.wait_for_log("rollback_window is over: generation 1 is kept no longer"));
  ASSERT_TRUE(has_left_the_former(daemon));
  EXPECT_TRUE(keeps_images(daemon, 1));
  crash(daemon, 4);
  EXPECT_EQ(daemon.status().rollback.taken_back, 0U);
  EXPECT_EQ(daemon.status().serving()->number, 3U);
}

TEST_F(Rollback, IsOffByDefault) {
  Daemon daemon({.config = text("workers = 2\n")});
  bring_the_bad_one(daemon, text("workers = 2\n"));
  EXPECT_TRUE(keeps_images(daemon, 1));

  crash(daemon, 5);

  EXPECT_EQ(daemon.status().serving()->number, 2U);
  EXPECT_EQ(daemon.status().rollback.former, 0U);
}

TEST_F(Rollback, ComesBeforeQuarantineAndQuarantineAfterTheWindow) {
  Daemon daemon({.config = with_window("max_crashes = 1\n")});
  bring_the_bad_one(daemon, with_window("max_crashes = 1\n"));

  crash(daemon, 2);

  ASSERT_TRUE(was_taken_back(daemon, 2));
  EXPECT_FALSE(daemon.status().module("fragile").quarantined);
  EXPECT_FALSE(daemon.log_contains("quarantined"));
  bring_the_bad_one(daemon, text("workers = 3\nmax_crashes = 1\n"));
  crash(daemon, 2);
  EXPECT_TRUE(daemon.status().module("fragile").quarantined);
}

TEST_F(Rollback, CountsTowardsAQuarantineThatComesAfterTheWindow) {
  const std::string config =
      text("workers = 3\nmax_crashes = 2\nrollback_window = 1500ms\nrollback_crashes = 9\n");
  Daemon daemon({.config = config});
  bring_the_bad_one(daemon, config);
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_log("rollback_window is over: "));
  EXPECT_FALSE(daemon.status().module("fragile").quarantined);

  crash(daemon, 1);

  EXPECT_TRUE(daemon.status().module("fragile").quarantined);
}

// --- returns that do not come about ---

// With a return under way: "ready:timeout" makes one that does not get on, "eventfd" one that
// fails at once.
class Returning : public Rollback {
 protected:
  Returning() : rules_(faults_.file("rules")) { write_file(rules_, ""); }

  [[nodiscard]] DaemonOptions options(const std::string& more) const {
    return {.config = with_window(more),
            .faulty = true,
            .environment = {{"DROVER_FAULT", "@" + rules_}}};
  }
  // Generation 3 is being built, and is generation 1 again.
  void begin(Daemon& daemon, const std::string& more, const std::string& rule = "ready:timeout") {
    bring_the_bad_one(daemon, with_window(more));
    crash(daemon, 1);
    begin_another(daemon, rule);
  }
  void begin_another(Daemon& daemon, const std::string& rule) {
    ASSERT_TRUE(all_ready(daemon));
    write_file(rules_, rule);
    crash(daemon, 1);
  }
  void let_it_come() const { write_file(rules_, ""); }
  [[nodiscard]] static bool all_ready(Daemon& daemon) {
    return daemon.wait_for_status([](const DaemonStatus& now) {
      return std::ranges::all_of(now.serving()->workers,
                                 [](const WorkerStatus& each) { return each.state == "ready"; });
    });
  }

  TempDir faults_;
  std::string rules_;
};

TEST_F(Returning, FailsTheNewOneGoesOnAndItIsTriedOnceMore) {
  const std::string more = "max_crashes = 5\n";
  Daemon daemon(options(more));
  begin(daemon, more, "eventfd");

  ASSERT_TRUE(daemon.wait_for_log("cannot return to generation 1: the way back stays open"));
  let_it_come();
  EXPECT_EQ(daemon.status().serving()->number, 2U);
  EXPECT_EQ(daemon.status().rollback.former, 1U);
  EXPECT_TRUE(serves(daemon, "v2"));
  EXPECT_EQ(answer(daemon, 2), "hello");
  ASSERT_TRUE(all_ready(daemon));
  crash(daemon, 1);
  begin_another(daemon, "eventfd");
  ASSERT_TRUE(daemon.wait_for_log("cannot return to generation 1: there is no way back any more"));
  let_it_come();
  EXPECT_EQ(daemon.status().rollback.former, 0U);
  ASSERT_TRUE(all_ready(daemon));
  crash(daemon, 2);
  EXPECT_TRUE(daemon.status().module("fragile").quarantined) << "as after any window";
}

TEST_F(Returning, IsGivenUpForADrain) {
  const std::string more = "ready_timeout = 60s\n";
  DaemonOptions daemonized = options(more);
  daemonized.daemonize = true;  // there WINCH is a drain
  Daemon daemon(daemonized);
  begin(daemon, more);

  daemon.signal_master(SIGWINCH);
  ASSERT_EQ(daemon.run_command({"-s", "reopen"}).status, 0);  // the master has heeded it
  let_it_come();

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.generations.empty();
  })) << "nobody serves";
  EXPECT_EQ(daemon.status().rollback.former, 1U) << "that it was not wanted is no failure";
  EXPECT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  EXPECT_TRUE(serves(daemon, "v2")) << "the files' code";
}

TEST_F(Returning, IsEndedByAStop) {
  const std::string more = "ready_timeout = 60s\n";
  Daemon daemon(options(more));
  begin(daemon, more);

  EXPECT_EQ(daemon.stop(SIGTERM), 0);
}

TEST_F(Returning, IsFollowedByAReloadAndAnUpgradeThatCameMeanwhile) {
  const std::string more = "ready_timeout = 1s\n";
  Daemon daemon(options(more));
  begin(daemon, more);
  install("v1");

  daemon.signal_master(SIGHUP);
  daemon.signal_master(SIGUSR2);
  let_it_come();

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.serving() && now.serving()->number == 5; }));
  EXPECT_TRUE(daemon.log_contains("cannot return to generation 1: "));
  EXPECT_TRUE(daemon.log_contains("serving: generation=4"));
  EXPECT_TRUE(serves(daemon, "v1"));
}

// It counts workers that end badly, whoever is to blame.
TEST_F(Rollback, CountsWorkersThatAreKilled) {
  Daemon daemon({.config = with_window()});
  bring_the_bad_one(daemon, with_window());

  kill_now(daemon.worker_pid(0));
  kill_now(daemon.worker_pid(1));

  EXPECT_TRUE(was_taken_back(daemon, 2));
}

// --- upgrades ---

TEST_F(Rollback, OfAnUpgradeReturnsToTheFormerModulesAndSettings) {
  Daemon daemon({.config = with_window()});
  ASSERT_EQ(say(daemon, "hello"), "v1 1\n");
  install("v2");
  upgrade(daemon, text("workers = 1\nrollback_window = 60s\nrollback_crashes = 0\n"));
  const int master = daemon.status().pid;
  EXPECT_EQ(daemon.status().rollback.former, 1U);
  EXPECT_GT(daemon.status().rollback.window_left_ms, 0);
  Client last(Endpoint::v4(daemon.port()));
  last.send_all("hello\n");
  const std::string answer = last.receive_some();
  ASSERT_TRUE(answer.starts_with("v2 "));

  crash(daemon, last);

  ASSERT_TRUE(was_taken_back(daemon, 2));
  EXPECT_EQ(daemon.status().serving()->workers.size(), 3U);
  EXPECT_TRUE(serves(daemon, "v1"));
  EXPECT_GT(lines_in(say(daemon, "hello")), lines_in(answer)) << "the zone goes on";
  EXPECT_EQ(daemon.status().pid, master) << "the binary is the new one";
  EXPECT_TRUE(daemon.log_contains("returning to what generation 1 ran"));
  EXPECT_EQ(daemon.status().module("fragile").crashes, 1);
}

TEST_F(Rollback, OfAnUpgradeKeepsZonesThatOnlyTheFormerNames) {
  Daemon daemon({.config = with_window()});
  ASSERT_EQ(say(daemon, "hello"), "v1 1\n");
  upgrade(daemon, config("workers = 2\nworker_shutdown_timeout = 60s\nmodule_dir = " +
                             built("modules") + "\nrollback_window = 60s\nrollback_crashes = 0\n",
                         echo_server("exclusive", "127.0.0.1:{port2}")));

  ASSERT_EQ(daemon.status().zones.size(), 1U);
  EXPECT_EQ(daemon.status().zones[0].generations, std::vector<std::uint32_t>{1});

  kill_now(daemon.worker_pid(0));

  ASSERT_TRUE(was_taken_back(daemon, 2));
  EXPECT_EQ(say(daemon, "hello"), "v1 2\n");
}

TEST_F(Rollback, OfAnUpgradeWithinTheWindowGoesBackToTheOneBeforeBoth) {
  Daemon daemon({.config = with_window()});
  bring_the_bad_one(daemon, with_window());
  crash(daemon, 1);
  upgrade(daemon, with_window());
  EXPECT_EQ(daemon.status().rollback.former, 1U);
  EXPECT_EQ(daemon.status().module("fragile").crashes, 1) << "counted over the upgrade";

  crash(daemon, 2);

  ASSERT_TRUE(was_taken_back(daemon, 3));
  EXPECT_TRUE(serves(daemon, "v1"));
}

TEST_F(Rollback, OfAnUpgradeKeepsNothingWithoutAWindow) {
  Daemon daemon({.config = text("workers = 2\n")});
  upgrade(daemon, text("workers = 2\n"));

  EXPECT_TRUE(keeps_images(daemon, 1));
  EXPECT_EQ(daemon.status().rollback.former, 0U);
}

}  // namespace
}  // namespace drover::test

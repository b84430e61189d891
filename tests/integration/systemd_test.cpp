// Drover under a real systemd: what starts, reloads, upgrades, dies and comes back.
#include "tests/integration/systemd_unit.h"

namespace drover::test {
namespace {

using ::testing::HasSubstr;

// --- start, reload, stop ---

TEST(Systemd, TheUnitIsActiveWhenItServesAndSaysWhatItDoes) {
  DroverUnit unit;

  const CommandResult start = unit.start();

  EXPECT_EQ(start.status, 0) << start.both();
  EXPECT_EQ(unit.property("ActiveState"), "active");
  EXPECT_EQ(unit.property("StatusText"), "generation 1: 2 workers, 0 connections");
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(Systemd, TheUnitIsNotActiveBeforeItServes) {
  DroverUnit unit({.drover = "ready_timeout = 60s\n",
                   .service = "Environment=DROVER_FAULT=ready:timeout\n",
                   .binary = built("drover-faulty")});

  ASSERT_EQ(unit.machine().systemctl({"start", "--no-block", "drover.service"}).status, 0);

  ASSERT_TRUE(wait_until([&] { return unit.machine().is_refused(kEchoPort) && unit.main_pid(); }));
  EXPECT_EQ(unit.property("ActiveState"), "activating");
}

TEST(Systemd, AStartThatFailsIsAFailureOfTheCommand) {
  DroverUnit unit({.service = "Restart=no\n"});
  unit.write_config("\nnonsense = 1\n");

  EXPECT_NE(unit.start().status, 0);

  EXPECT_EQ(unit.property("ActiveState"), "failed");
}

TEST(Systemd, AReloadReturnsWhenTheNewConfigurationServes) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  const pid_t master = unit.main_pid();
  unit.options().workers = 3;

  unit.write_config();
  const CommandResult reload = unit.machine().systemctl({"reload", "drover.service"});

  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_EQ(unit.property("StatusText"), "generation 2: 3 workers, 0 connections");
  EXPECT_EQ(unit.property("SubState"), "running");
  EXPECT_EQ(unit.main_pid(), master);
}

TEST(Systemd, ARefusedReloadIsAFailureOfTheCommandAndSeenInTheStatus) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);

  unit.write_config("\nnonsense = 1\n");
  const CommandResult reload = unit.machine().systemctl({"reload", "drover.service"});

  EXPECT_NE(reload.status, 0);
  EXPECT_EQ(unit.property("SubState"), "running");
  EXPECT_EQ(unit.answer(), "hello");
  EXPECT_THAT(unit.property("StatusText"), HasSubstr("reload refused: "));
  EXPECT_THAT(unit.property("StatusText"), HasSubstr("generation 1: 2 workers"));

  unit.write_config();
  EXPECT_EQ(unit.machine().systemctl({"reload", "drover.service"}).status, 0);
  EXPECT_THAT(unit.property("StatusText"), ::testing::StartsWith("generation 2: 2 workers"));
}

TEST(Systemd, AReloadBySignalIsSeenAsOne) {
  DroverUnit unit({.drover = "ready_timeout = 60s\n",
                   .service = "Environment=DROVER_FAULT=@{dir}/faults\n",
                   .binary = built("drover-faulty")});
  ASSERT_EQ(unit.start().status, 0);
  write_file(unit.file("faults"), "ready:timeout");

  unit.kill_main("HUP");

  EXPECT_TRUE(wait_until([&] { return unit.property("SubState") == "reload"; }));
}

TEST(Systemd, AStopEndsEverything) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);

  const CommandResult stop = unit.machine().systemctl({"stop", "drover.service"});

  EXPECT_EQ(stop.status, 0) << stop.both();
  EXPECT_EQ(unit.property("Result"), "success");
  EXPECT_EQ(unit.property("TasksCurrent"), "[not set]");
  EXPECT_TRUE(unit.machine().is_refused(kEchoPort));
}

TEST(Systemd, AQuitIsSeenAsStoppingUntilTheLastConnectionHasEnded) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  Client client = unit.machine().connect(kEchoPort);
  ASSERT_EQ(client.exchange("one"), "one");

  unit.kill_main("QUIT");

  EXPECT_TRUE(wait_until([&] { return unit.property("ActiveState") == "deactivating"; }));
  EXPECT_TRUE(unit.machine().is_refused(kEchoPort));
  EXPECT_EQ(unit.property("StatusText"), "stopping: 1 connections");
  EXPECT_EQ(client.exchange("two"), "two");
  client.close();
  EXPECT_TRUE(wait_until([&] { return unit.property("ActiveState") == "inactive"; }));
}

TEST(Systemd, ChildrenDoNotSeeTheServiceManager) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  Client client = unit.machine().connect(kEnvironmentPort);

  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                           "LISTEN_PID", "LISTEN_FDNAMES"}) {
    EXPECT_EQ(ask(client, name), "-") << name;
  }
  EXPECT_NE(ask(client, "INVOCATION_ID"), "-") << "the module tells";
}

// --- upgrade, watchdog ---

TEST(Systemd, AnUpgradeMovesTheMainProcessAndTheWatchdog) {
  DroverUnit unit({.service = "WatchdogSec=2s\n"});
  ASSERT_EQ(unit.start().status, 0);
  const pid_t former = unit.main_pid();
  Client client = unit.machine().connect(kEchoPort);
  ASSERT_EQ(client.exchange("one"), "one");

  const CommandResult upgrade = unit.command("upgrade");

  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  const pid_t master = unit.main_pid();
  EXPECT_NE(master, former);
  EXPECT_EQ(upgrade.output, "upgraded: pid " + std::to_string(master) + "\n");
  EXPECT_TRUE(unit.is_active());
  EXPECT_TRUE(wait_until(
      [&] { return unit.property("StatusText").starts_with("generation 2: 2 workers"); }));
  EXPECT_EQ(client.exchange("two"), "two");
  client.close();
  EXPECT_TRUE(wait_until([&] {
    return unit.machine().run({"kill", "-0", std::to_string(former)}).status != 0;
  })) << "the former master leaves";
  const auto fed_until = Clock::now() + Millis{5'000};  // two and a half times WatchdogSec
  EXPECT_FALSE(wait_until([&] { return !unit.is_active(); }, millis_left(fed_until) * Millis{1}));
  EXPECT_EQ(unit.main_pid(), master);
  EXPECT_EQ(unit.restarts(), 0);

  EXPECT_EQ(unit.machine().systemctl({"reload", "drover.service"}).status, 0);
  EXPECT_EQ(unit.machine().systemctl({"stop", "drover.service"}).status, 0);
  EXPECT_EQ(unit.property("Result"), "success");
}

TEST(Systemd, ANewMasterThatDiesWhileTheFormerOneDrainsIsStartedAgain) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  Client client = unit.machine().connect(kEchoPort);
  ASSERT_EQ(client.exchange("one"), "one");
  ASSERT_EQ(unit.command("upgrade").status, 0);

  unit.kill_main("KILL");

  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(Systemd, AMasterThatHangsIsStartedAgainAndItsWorkersServeOn) {
  DroverUnit unit({.service = "WatchdogSec=1s\n"});
  ASSERT_EQ(unit.start().status, 0);
  Client client = unit.machine().connect(kEchoPort);
  ASSERT_EQ(client.exchange("one"), "one");

  unit.kill_main("STOP");

  EXPECT_EQ(unit.answer(), "hello");
  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_EQ(unit.answer(), "hello");
  EXPECT_THAT(read_file(unit.file("log")), HasSubstr("taking over: "));
}

TEST(Systemd, AKilledMasterIsStartedAgainAndAdoptsTheWorkers) {
  DroverUnit unit;
  ASSERT_EQ(unit.start().status, 0);
  Client client = unit.machine().connect(kEchoPort);
  Client counter = unit.machine().connect(kCounterPort);
  ASSERT_EQ(client.exchange("one"), "one");
  ASSERT_EQ(ask(counter, "add"), "1");

  unit.kill_main("KILL");

  EXPECT_TRUE(unit.wait_for_restart());
  EXPECT_TRUE(unit.log_has("taking over: "));
  EXPECT_FALSE(unit.log_has("passed by systemd: ")) << "what orphans have goes before the store";
  EXPECT_EQ(client.exchange("two"), "two");
  EXPECT_EQ(unit.answer(), "hello");
  EXPECT_EQ(ask(counter, "add"), "2");
  Client another = unit.machine().connect(kCounterPort);
  EXPECT_EQ(ask(another, "get"), "2");
  EXPECT_THAT(unit.property("StatusText"), ::testing::StartsWith("generation 2: 2 workers"));
}

}  // namespace
}  // namespace drover::test

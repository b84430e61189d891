// Zones of the real daemon: one memory for all workers, over crashes and reloads, refused with the
// reason to whom it does not fit, and freed with the last generation that names it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <ostream>

#include "tests/integration/counter_daemon.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

int zone_descriptors_of(pid_t pid) {
  return static_cast<int>(std::ranges::count_if(fd_links(pid), [](const std::string& target) {
    return target.find("memfd:drover-zone.") != std::string::npos;
  }));
}

// What holds a zone's memory.
int zone_descriptors(const Daemon& daemon) { return zone_descriptors_of(daemon.master_pid()); }

std::string echo_only(const std::string& more = "") {
  return counter_config(echo_server("exclusive") + more);
}

TEST(Zone, IsOneForAllWorkers) {
  Daemon daemon({.config = counting()});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 3);

  int expected = 0;
  for (int round = 0; round < 5; ++round) {
    for (auto& [slot, client] : clients) EXPECT_EQ(client.ask("add"), std::to_string(++expected));
  }

  const ZoneStatus zone = zone_of(daemon.status());
  EXPECT_EQ(zone.name, "counter");
  EXPECT_EQ(zone.size, 65536);
  EXPECT_EQ(zone.state, "ready");
  EXPECT_EQ(zone.owner, "counter");
  EXPECT_EQ(zone.layout, 1U);
  EXPECT_EQ(zone.unclean_ends, 0);
  EXPECT_THAT(zone.generations, ElementsAre(1U));
  EXPECT_THAT(daemon.run_command({"-s", "status"}).output,
              HasSubstr("zone counter: 64k, ready, owner counter, layout 1, generations 1\n"));
}

TEST(Zone, IsInTheHandsOfTheMasterAndTheWorkersOnly) {
  Daemon daemon({.config = counter_config(
                     counter_server() + "accept = acceptor\n" + std::string(kZone), "counter", 1)});

  EXPECT_EQ(zone_descriptors(daemon), 1);
  EXPECT_EQ(zone_descriptors_of(daemon.worker_pid(0)), 1);
  EXPECT_EQ(zone_descriptors_of(daemon.acceptor_pid()), 0);
}

TEST(Zone, LosesNothingThatWasCountedWhenWorkersAreKilledUnderLoad) {
  constexpr int kKills = 6;
  Daemon daemon({.config = counting()});
  std::vector<std::unique_ptr<Adder>> adders;
  for (int i = 0; i < 4; ++i) adders.push_back(std::make_unique<Adder>(daemon));

  for (int i = 0; i < kKills; ++i) {
    const std::uint64_t before = adders[0]->answered;
    EXPECT_TRUE(wait_until([&] { return adders[0]->answered > before + 20; }));
    ASSERT_TRUE(wait_until([&] { return daemon.worker_pid(i % 3) != 0; }));
    kill_now(daemon.worker_pid(i % 3));
    EXPECT_TRUE(daemon.wait_for_status(
        [&](const DaemonStatus& now) { return zone_of(now).unclean_ends == i + 1; }));
  }
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  for (const auto& adder : adders) {
    adder->stop();
    asked += adder->asked;
    answered += adder->answered;
  }

  LineClient client(daemon);
  const std::uint64_t counted = std::stoull(client.ask("get"));
  EXPECT_GT(answered, 100U);
  EXPECT_GE(counted, answered);
  EXPECT_LE(counted, asked);
  EXPECT_EQ(client.ask("ends"), std::to_string(kKills));
}

TEST(Zone, IsTheSameBeforeAndAfterAReload) {
  Daemon daemon({.config = counting()});
  LineClient old_client(daemon);
  ASSERT_EQ(old_client.ask("add"), "1");

  ASSERT_EQ(daemon.reload(counting()).status, 0);
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 3);

  EXPECT_EQ(clients.begin()->second.ask("add"), "2");
  EXPECT_EQ(old_client.ask("add"), "3") << "what drains counts into the same";
  EXPECT_THAT(zone_of(daemon.status()).generations, ElementsAre(2U, 1U));
  EXPECT_EQ(zone_descriptors(daemon), 1);
}

TEST(Zone, OfAnotherSizeIsRefusedAndTheOldGenerationGoesOn) {
  Daemon daemon({.config = counting()});
  LineClient client(daemon);
  ASSERT_EQ(client.ask("add"), "1");

  const CommandResult refused =
      daemon.reload(counter_config(counter_server() + "\n[zone counter]\nsize = 128k\n"));

  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.both(), AllOf(HasSubstr("drover.conf:"),
                                    HasSubstr("[zone counter] size: 128k differs from 64k, which "
                                              "the zone has since "),
                                    HasSubstr("the running configuration goes on")));
  EXPECT_EQ(client.ask("add"), "2");
  EXPECT_EQ(LineClient(daemon).ask("add"), "3");
  EXPECT_EQ(daemon.reload(counting()).status, 0);
}

TEST(Zone, ThatNobodyNamesIsFreedWithTheLastGenerationThatDid) {
  Daemon daemon({.config = counting()});
  {
    LineClient old_client(daemon);
    ASSERT_EQ(old_client.ask("add"), "1");
    ASSERT_EQ(daemon.reload(echo_only()).status, 0);
    EXPECT_EQ(old_client.ask("add"), "2");
    EXPECT_EQ(zone_descriptors(daemon), 1);
    EXPECT_THAT(zone_of(daemon.status()).generations, ElementsAre(1U));
  }

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.zones.empty(); }));
  EXPECT_EQ(zone_descriptors(daemon), 0);

  ASSERT_EQ(daemon.reload(counting()).status, 0);
  EXPECT_EQ(one_in_each_slot(daemon, 1).begin()->second.ask("add"), "1");
}

TEST(Zone, OfAReloadThatFailsIsGivenUp) {
  Daemon daemon({.config = echo_only()});

  const CommandResult refused =
      daemon.reload(counter_config(counter_server("dying").append(kZone), "dying"));

  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(wait_until([&] { return zone_descriptors(daemon) == 0; }));
  EXPECT_EQ(daemon.reload(counting()).status, 0);
  EXPECT_EQ(one_in_each_slot(daemon, 1).begin()->second.ask("get"), "0");
}

struct Stranger {
  const char* name;
  const char* file;
  const char* protocol;
  const char* reason;
};
void PrintTo(const Stranger& row, std::ostream* out) { *out << row.name; }
class StrangerTest : public ::testing::TestWithParam<Stranger> {};

TEST_P(StrangerTest, IsRefusedTheZoneWithTheReasonAndTheOldGenerationGoesOn) {
  Daemon daemon({.config = counting()});
  LineClient client(daemon);
  ASSERT_EQ(client.ask("add"), "1");

  const CommandResult refused = daemon.reload(
      counter_config(counter_server(GetParam().protocol).append(kZone), GetParam().file));

  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.both(), HasSubstr(GetParam().reason));
  EXPECT_EQ(client.ask("add"), "2");
  EXPECT_EQ(zone_of(daemon.status()).owner, "counter");
}

INSTANTIATE_TEST_SUITE_P(
    All, StrangerTest,
    ::testing::Values(Stranger{"module", "counter_other", "other",
                               "server counter: module other refused to start: zone counter "
                               "refused: it belongs to module counter"},
                      Stranger{"layout", "counter_layout2", "counter",
                               "its layout is version 1, wanted is version 2"}),
    [](const auto& row) { return row.param.name; });

TEST(Zone, ThatTheConfigurationLacksIsSaidAtStart) {
  Daemon daemon({.config = counter_config(counter_server()), .wait_ready = false});

  EXPECT_TRUE(wait_until([&] { return daemon.program_status().has_value(); }));
  EXPECT_EQ(daemon.program_status(), 1);
  EXPECT_TRUE(daemon.log_contains("zone counter refused: the configuration has no such section"));
}

TEST(Zone, ThatThereIsNoMemoryForIsSaidAndTheOldGenerationGoesOn) {
  Daemon daemon(
      {.config = echo_only(), .faulty = true, .environment = {{"DROVER_FAULT", "zone_memory"}}});

  const CommandResult refused = daemon.reload(counting());

  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.both(),
              HasSubstr("[zone counter] size: memfd_create: Cannot allocate memory"));
  EXPECT_NE(daemon.status().serving(), nullptr);
}

// The old generation names the zone and its module does not use it.
TEST(Zone, OfAWorkerKilledInitialisingIsLeftToTheNext) {
  const TempDir pauses;
  write_file(pauses.file("rules"), "zone.initialised:1");
  Daemon daemon({.config = echo_only(std::string(kZone)),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "@" + pauses.file("rules")}}});
  EXPECT_EQ(zone_of(daemon.status()).state, "fresh");
  const std::string next = counter_config(counter_server().append(kZone), "counter", 1);
  daemon.rewrite_config(next);
  daemon.signal_master(SIGHUP);

  const pid_t paused = daemon.wait_for_paused();
  EXPECT_EQ(zone_of(daemon.status()).state, "initialising");
  EXPECT_EQ(zone_of(daemon.status()).owner, "");
  write_file(pauses.file("rules"), "");
  kill_now(paused);
  ASSERT_TRUE(daemon.wait_for_log("generation 2 failed"));
  ASSERT_EQ(daemon.reload(next).status, 0);

  EXPECT_EQ(one_in_each_slot(daemon, 1).begin()->second.ask("add"), "1");
  EXPECT_EQ(zone_of(daemon.status()).state, "ready");
}

TEST(Zone, FullOfGarbageHarmsNeitherTheMasterNorTheNextZoneOfThatName) {
  Daemon daemon({.config = counting(2)});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 2);
  ASSERT_EQ(clients.at(0).ask("garbage"), "1");

  EXPECT_EQ(zone_of(daemon.status()).state, "damaged");
  EXPECT_THAT(daemon.run_command({"-s", "status"}).output, HasSubstr("zone counter: 64k, damaged"));
  kill_now(daemon.worker_pid(0));
  EXPECT_TRUE(daemon.wait_for_log("zone counter refused: its header is not a zone's"));
  EXPECT_EQ(clients.at(1).ask("add"), "1") << "who has it goes on";

  EXPECT_EQ(daemon.reload(counting(2)).status, 1) << "nobody else gets it";
  clients.clear();
  ASSERT_EQ(daemon.reload(echo_only()).status, 0);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.zones.empty(); }));
  ASSERT_EQ(daemon.reload(counting(2)).status, 0);
  EXPECT_EQ(one_in_each_slot(daemon, 2).at(0).ask("add"), "1");
}

struct Usage {
  std::int64_t rss_bytes = 0;
  int descriptors = 0;
};

// The master when all former generations are gone.
Usage usage_after(Daemon& daemon, int reloads) {
  for (int i = 0; i < reloads; ++i) {
    EXPECT_EQ(daemon.reload(i % 2 == 0 ? echo_only() : counting()).status, 0);
  }
  EXPECT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));
  return {rss_bytes(daemon.master_pid()), fd_count(daemon.master_pid())};
}

TEST(Zone, LeavesNothingBehindAfterManyReloads) {
  constexpr std::int64_t kSlackBytes = (kUnderAsan ? 8 : 2) << 20;
  Daemon daemon({.config = counting(), .environment = without_quarantine()});

  const Usage before = usage_after(daemon, 6);
  const Usage after = usage_after(daemon, 20);

  EXPECT_LT(after.rss_bytes - before.rss_bytes, kSlackBytes);
  EXPECT_LT(after.descriptors - before.descriptors, 3) << "a control session comes and goes";
  EXPECT_EQ(zone_descriptors(daemon), 1);
}

}  // namespace
}  // namespace drover::test

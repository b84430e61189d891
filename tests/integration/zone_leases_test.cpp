// What workers do with each other over a zone: leases that survive their holders' being killed and
// stopped, and doorbells that bring a worker to look.
#include <gtest/gtest.h>

#include <optional>

#include "tests/integration/counter_daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

TEST(Doorbell, BringsTheNewValueToTheConnectionsOfEveryWorker) {
  Daemon daemon({.config = counting()});
  std::map<int, LineClient> watching = one_in_each_slot(daemon, 3);
  for (auto& [slot, client] : watching) ASSERT_EQ(client.ask("watch"), "0");

  LineClient adding(daemon);
  ASSERT_EQ(adding.ask("add"), "1");
  for (auto& [slot, client] : watching) EXPECT_EQ(client.line(), "=1") << "slot " << slot;
  ASSERT_EQ(watching.at(0).ask("add"), "2");

  for (auto& [slot, client] : watching) EXPECT_EQ(client.line(), "=2") << "slot " << slot;
}

TEST(Doorbell, IsHeardWhileTheWorkerDrains) {
  Daemon daemon({.config = counting(1)});
  LineClient watching(daemon);
  LineClient adding(daemon);
  ASSERT_EQ(watching.ask("watch"), "0");
  ASSERT_EQ(daemon.reload(counting(1)).status, 0);

  ASSERT_EQ(adding.ask("add"), "1") << "in the worker that drains";

  EXPECT_EQ(watching.line(), "=1");
}

TEST(ZoneLease, OfTheAnnouncerGoesToAnotherWhenItIsKilled) {
  Daemon daemon({.config = counting()});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 3);
  ASSERT_EQ(clients.at(1).ask("watch"), "0");
  ASSERT_EQ(clients.at(0).ask("add"), "1");
  ASSERT_EQ(clients.at(1).line(), "=1");
  kill_now(daemon.worker_pid(0));

  ASSERT_EQ(clients.at(2).ask("add"), "2");

  EXPECT_EQ(clients.at(1).line(), "=2");
}

TEST(ZoneLease, HasOneHolderUntilItIsGivenBack) {
  Daemon daemon({.config = counting(2)});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 2);

  EXPECT_EQ(clients.at(0).ask("take 60000"), "1");
  EXPECT_EQ(clients.at(1).ask("take 60000"), "0");
  EXPECT_EQ(clients.at(0).ask("keep 60000"), "1");
  EXPECT_EQ(clients.at(0).ask("give"), "1");
  EXPECT_EQ(clients.at(1).ask("take 60000"), "1");
  EXPECT_EQ(clients.at(0).ask("keep 60000"), "0");
}

TEST(ZoneLease, OfAKilledHolderIsFreeWhenItsTimeIsOverAndNotBefore) {
  Daemon daemon({.config = counting(2)});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 2);
  const auto from = Clock::now();
  ASSERT_EQ(clients.at(0).ask("take 700"), "1");
  kill_now(daemon.worker_pid(0));

  EXPECT_TRUE(wait_until([&] { return clients.at(1).ask("take 700") == "1"; }));

  EXPECT_GE(since(from), Millis{700} - kEarly);
}

TEST(ZoneLease, OfAStoppedHolderIsTakenAndTheHolderLearnsIt) {
  Daemon daemon({.config = counting(2)});
  std::map<int, LineClient> clients = one_in_each_slot(daemon, 2);
  ASSERT_EQ(clients.at(0).ask("take 300"), "1");
  const pid_t holder = daemon.worker_pid(0);
  stop(holder);

  EXPECT_TRUE(wait_until([&] { return clients.at(1).ask("take 60000") == "1"; }));
  resume(holder);

  EXPECT_EQ(clients.at(0).ask("keep 300"), "0");
  EXPECT_EQ(clients.at(0).ask("take 300"), "0");
}

TEST(ZoneLease, OfAWorkerThatLeavesInOrderIsFreeAtOnce) {
  Daemon daemon({.config = counting(1)});
  std::optional<LineClient> last_of_the_old(daemon);
  ASSERT_EQ(last_of_the_old->ask("take 60000"), "1");
  const std::string elsewhere = counter_server("counter", "{port2}").append(kZone);
  ASSERT_EQ(daemon.reload(counter_config(elsewhere, "counter", 1)).status, 0);
  LineClient client(daemon, 2);
  ASSERT_EQ(client.ask("take 60000"), "0");

  last_of_the_old.reset();

  EXPECT_TRUE(wait_until([&] { return client.ask("take 60000") == "1"; }));
}

}  // namespace
}  // namespace drover::test

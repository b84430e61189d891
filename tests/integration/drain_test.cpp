// How connections end when their generation or the daemon leaves: by themselves while there is
// time, cut over the last quarter of it, and counted.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

constexpr Millis kDeadline{4000};
constexpr Millis kQuarterBegins{3000};
constexpr Millis kLate{600};
constexpr size_t kClients = 60;

const std::string kDraining = config("workers = 2\nworker_shutdown_timeout = 4s",
                                     echo_server("exclusive") + "access_log = {dir}/access.log\n");

std::vector<Client> connect_all(Daemon& daemon) {
  std::vector<Client> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    EXPECT_EQ(clients.back().exchange("x"), "x");
  }
  return clients;
}

// When each connection ended, in order, counted from `start`; all are watched until the last has.
std::vector<Millis> ends_of(std::vector<Client> clients, Clock::time_point start) {
  std::vector<Millis> ends;
  const bool all = wait_until(
      [&] {
        std::erase_if(clients, [&](Client& client) {
          if (client.next(Millis{0}) == Client::Next::kSilence) return false;
          ends.push_back(since(start));
          return true;
        });
        return clients.empty();
      },
      kDeadline + Millis{6000});
  EXPECT_TRUE(all) << clients.size() << " were never cut";
  return ends;
}

// `start` is when the order was given, `taken` when it was certainly at work.
void expect_spread_over_the_last_quarter(const std::vector<Millis>& ends, Millis taken) {
  ASSERT_EQ(ends.size(), kClients);
  EXPECT_GE(ends.front(), kQuarterBegins - Millis{20});
  EXPECT_LE(ends.back(), kDeadline + taken + kLate);
  const Millis first_half_of_them = ends[kClients / 2] - ends.front();
  const Millis all_of_them = ends.back() - ends.front();
  EXPECT_GE(all_of_them, Millis{500}) << "not at once";
  EXPECT_GE(first_half_of_them, all_of_them / 5) << "not most of them early";
  EXPECT_LE(first_half_of_them, all_of_them * 4 / 5) << "not most of them late";
}

TEST(Deadline, CutsOverTheLastQuarterAfterAReload) {
  Daemon daemon({.config = kDraining});
  std::vector<Client> clients = connect_all(daemon);
  Client finished(Endpoint::v4(daemon.port()));
  ASSERT_EQ(finished.exchange("y"), "y");
  LoadGenerator load({.targets = {Endpoint::v4(daemon.port())}, .concurrency = 10});
  const auto start = Clock::now();
  ASSERT_EQ(daemon.reload(kDraining).status, 0);
  const Millis taken = since(start);
  EXPECT_EQ(finished.exchange("drained, still served"), "drained, still served");
  finished.close();

  expect_spread_over_the_last_quarter(ends_of(std::move(clients), start), taken);

  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }));
  EXPECT_EQ(load.stop().failures(), 0);
  EXPECT_EQ(daemon.status().totals.drained_cut, static_cast<std::int64_t>(kClients));
  const std::vector<AccessLine> lines = wait_for_access_lines(daemon.file("access.log"), kClients);
  const auto cut = std::count_if(lines.begin(), lines.end(),
                                 [](const AccessLine& line) { return line.reason == "drained"; });
  EXPECT_EQ(cut, static_cast<std::ptrdiff_t>(kClients));
}

TEST(Deadline, CutsOverTheLastQuarterAfterQuit) {
  Daemon daemon({.config = kDraining});
  std::vector<Client> clients = connect_all(daemon);
  const auto start = Clock::now();

  daemon.signal_master(SIGQUIT);

  expect_spread_over_the_last_quarter(ends_of(std::move(clients), start), Millis{0});
  EXPECT_TRUE(daemon.wait_gone(Millis{2000}));
  EXPECT_TRUE(wait_until([&] { return daemon.program_status() == 0; }));
}

TEST(Deadline, CutsNobodyWhoFinishesBeforeIt) {
  Daemon daemon({.config = kDraining});
  LoadGenerator load({.targets = {Endpoint::v4(daemon.port())}, .concurrency = 20, .pinging = 40});
  ASSERT_TRUE(load.wait_for_completed(200)) << load.stats().to_string();
  ASSERT_EQ(daemon.reload(kDraining).status, 0);
  ASSERT_TRUE(load.wait_for_completed(500)) << load.stats().to_string();

  const LoadStats stats = load.stop();  // long-lived connections finish their message and end

  EXPECT_EQ(stats.failures(), 0) << stats.to_string();
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }, Millis{2500}))
      << "the old generation leaves when its last connection does";
  EXPECT_EQ(daemon.status().totals.drained_cut, 0);
}

TEST(Quit, LeavesAtOnceWhenNothingIsOpen) {
  Daemon daemon(
      {.config = config("workers = 2\nworker_shutdown_timeout = 60s", echo_server("exclusive"))});
  const auto start = Clock::now();

  const CommandResult quit = daemon.run_command({"-s", "quit"});

  EXPECT_EQ(quit.status, 0) << quit.both();
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_LT(since(start), Millis{1500});
}

TEST(Quit, AnswersWhenTheLastConnectionHasEnded) {
  Daemon daemon(
      {.config = config("workers = 2\nworker_shutdown_timeout = 60s", echo_server("exclusive"))});
  auto client = std::make_optional<Client>(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client->exchange("x"), "x");
  std::atomic<bool> answered{false};
  std::thread operator_thread([&] {
    EXPECT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
    answered = true;
  });
  EXPECT_TRUE(wait_until([&] { return !Client::try_connect(Endpoint::v4(daemon.port())); }));

  EXPECT_EQ(client->exchange("still"), "still");
  EXPECT_FALSE(answered);
  client.reset();

  operator_thread.join();
  EXPECT_TRUE(daemon.wait_gone());
}

TEST(Stop, ShortensAQuitThatTakesLong) {
  Daemon daemon(
      {.config = config("workers = 2\nworker_shutdown_timeout = 60s", echo_server("exclusive"))});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("x"), "x");
  daemon.signal_master(SIGQUIT);
  EXPECT_TRUE(wait_until([&] { return !Client::try_connect(Endpoint::v4(daemon.port())); }));

  EXPECT_EQ(daemon.stop(SIGTERM, Millis{4000}), 0);
}

TEST(Stop, IsFastEvenWithAStoppedWorker) {
  Daemon daemon({.config = kDraining});
  std::vector<Client> clients = connect_all(daemon);
  stop(daemon.worker_pid(0));
  const auto start = Clock::now();

  EXPECT_EQ(daemon.stop(SIGTERM), 0);

  EXPECT_LT(since(start), Millis{4000});
}

TEST(Reload, LeavesNoStoppedWorkerBehindAtItsDeadline) {
  const std::string text = config("workers = 2\nworker_shutdown_timeout = 1s\nhang_timeout = 60s",
                                  echo_server("exclusive"));
  Daemon daemon({.config = text});
  stop(daemon.worker_pid(0));

  ASSERT_EQ(daemon.reload(text).status, 0);

  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }, Millis{6000}));
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("x"), "x");
}

}  // namespace
}  // namespace drover::test

// Reloads of other kinds of listeners and connections, for every strategy: unix sockets and IPv6,
// half-open connections, connections longer than the deadline.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/integration/reload_cell.h"

namespace drover::test {
namespace {

class KindsTest : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static bool is_reuseport() { return std::string(GetParam()) == "reuseport"; }
};

INSTANTIATE_TEST_SUITE_P(All, KindsTest, ::testing::ValuesIn(kStrategies), strategy_name);

TEST_P(KindsTest, UnixAndIpv6ListenersLoseNothing) {
  const std::string unix_too = is_reuseport() ? "" : "\nlisten = unix:{dir}/echo.sock";
  const auto text = [&](int workers) {
    return config(drover_lines(workers), echo_server(GetParam(), "[::1]:{port}" + unix_too));
  };
  Daemon daemon({.config = text(2)});
  std::vector<Endpoint> targets{Endpoint::v6(daemon.port())};
  if (!is_reuseport()) targets.push_back(Endpoint::unix_path(daemon.file("echo.sock")));
  LoadGenerator load(reload_load(targets));
  ASSERT_TRUE(load.wait_for_completed(50));

  for (const int workers : {5, 2}) {
    wait_for_loaded_moment(load, daemon.port());
    const CommandResult reload = daemon.reload(text(workers));
    EXPECT_EQ(reload.status, 0) << reload.both();
    EXPECT_TRUE(load.wait_for_completed(150));
  }

  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
  EXPECT_TRUE(wait_until_gone(daemon, 2));
}

// With `deferred` a client that has said nothing is half-open for the kernel.
TEST_P(KindsTest, HalfOpenConnectionsAreServedByFewerWorkers) {
  constexpr int kSilent = 40;
  const auto text = [](int workers) {
    return config("workers = " + std::to_string(workers) + "\nsteer_linger = 5s\n",
                  echo_server(GetParam(), "127.0.0.1:{port} deferred"));
  };
  Daemon daemon({.config = text(5)});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));
  std::vector<Client> silent;
  for (int i = 0; i < kSilent; ++i) silent.emplace_back(Endpoint::v4(daemon.port()));

  EXPECT_GT(queue_state(daemon.port()).half_open, 0);
  wait_for_loaded_moment(load, daemon.port());
  expect_reloaded(daemon.reload(text(2)), 2);

  for (Client& client : silent) EXPECT_EQ(client.exchange("at last"), "at last");
  EXPECT_TRUE(load.wait_for_completed(100));
  expect_lossless(load);
}

// After fewer workers nothing reaches the sockets that will be closed.
TEST(ReuseportTest, NewConnectionsReachOnlyTheSocketsThatStay) {
  const auto text = [](int workers) {
    return config("workers = " + std::to_string(workers) + "\nsteer_linger = 1h\n",
                  echo_server("reuseport"));
  };
  Daemon daemon({.config = text(5)});
  expect_reloaded(daemon.reload(text(2)), 2);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
  const Frozen frozen(daemon);

  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(Endpoint::v4(daemon.port()));

  EXPECT_EQ(queue_state(daemon.port()).listeners, 5);
  EXPECT_EQ(queue_state(daemon.port()).queued, 100);
  EXPECT_EQ(listeners_with_queue(daemon.port()), 2);
}

// The workers of the old generation leave only when their acceptor has passed on all it has taken.
TEST(AcceptorTest, WithConnectionsInItsHandsPassesThemOnBeforeTheWorkersLeave) {
  constexpr int kTaken = 20;
  const std::string text =
      config("workers = 2\nsteer_after = 1m\nhang_timeout = 5m\n", echo_server("acceptor"));
  Daemon daemon({.config = text,
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "acceptor.accepted:" + std::to_string(kTaken)}}});
  std::vector<Client> clients;
  for (int i = 0; i < kTaken; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    clients.back().send_all("first words");
  }
  const pid_t paused = daemon.wait_for_paused();

  expect_reloaded(daemon.reload(text), 2);
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(2).size() == 2; }));
  EXPECT_EQ(daemon.workers_of(1).size(), 2U);
  resume(paused);

  for (Client& client : clients) EXPECT_EQ(client.receive(11), "first words");
  clients.clear();
  EXPECT_TRUE(wait_until_gone(daemon, 1));
}

TEST_P(KindsTest, ConnectionsLongerThanTheDeadlineAreCutInItsLastQuarterAndCounted) {
  constexpr Millis kDeadline{2'400};
  constexpr Millis kSlack{1'500};
  constexpr int kHeld = 40;
  const std::string text =
      config("workers = 2\nworker_shutdown_timeout = 2400ms\n", echo_server(GetParam()));
  Daemon daemon({.config = text});
  std::vector<Client> held;
  for (int i = 0; i < kHeld; ++i) {
    held.emplace_back(Endpoint::v4(daemon.port()));
    ASSERT_EQ(held.back().exchange("x"), "x");
  }
  LoadOptions options = reload_load({Endpoint::v4(daemon.port())});
  options.pinging = 0;
  LoadGenerator load(options);
  ASSERT_TRUE(load.wait_for_completed(50));

  wait_for_loaded_moment(load, daemon.port());
  const auto before = Clock::now();
  expect_reloaded(daemon.reload(text), 2);
  const auto after = Clock::now();

  std::vector<Millis> ends;  // since `before`, in the order in which they are seen
  std::erase_if(held, [](Client& client) { return client.next(Millis{0}) == Client::Next::kEnd; });
  EXPECT_EQ(held.size(), static_cast<size_t>(kHeld)) << "cut at once";
  const bool all_ended = wait_until(
      [&] {
        std::erase_if(held, [&](Client& client) {
          const bool has_ended = client.next(Millis{0}) != Client::Next::kSilence;
          if (has_ended) ends.push_back(since(before));
          return has_ended;
        });
        return held.empty();
      },
      kDeadline + kSlack + kPatience);
  ASSERT_TRUE(all_ended) << held.size() << " are left";
  EXPECT_GE(ends.front(), kDeadline * 3 / 4);
  EXPECT_LE(ends.back(), kDeadline + kSlack + std::chrono::duration_cast<Millis>(after - before));
  std::cout << GetParam() << ": cut from " << ends.front().count() << " to " << ends.back().count()
            << " ms of " << kDeadline.count() << "\n";
  EXPECT_GE(ends.back() - ends.front(), kDeadline / 10) << "all at once";
  EXPECT_TRUE(wait_until_gone(daemon, 1));
  EXPECT_EQ(daemon.status().totals.drained_cut, kHeld);
  expect_lossless(load);
}

}  // namespace
}  // namespace drover::test

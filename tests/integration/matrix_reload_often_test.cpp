// Many reloads: in a row, on top of each other, and with generations that cannot end.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/integration/reload_cell.h"

namespace drover::test {
namespace {

class OftenTest : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::string with_workers(int workers) {
    return config(drover_lines(workers) + "max_draining = 16\n", echo_server(GetParam()));
  }
};

INSTANTIATE_TEST_SUITE_P(All, OftenTest, ::testing::ValuesIn(kStrategies), strategy_name);

bool has_only(const Daemon& daemon, int generation, size_t workers) {
  return daemon.workers().size() == workers && daemon.workers_of(generation).size() == workers;
}

TEST_P(OftenTest, TwentyReloadsInARowLoseAndLeakNothing) {
  Daemon daemon({.config = with_workers(2)});
  const pid_t master = daemon.master_pid();
  const int descriptors = fd_count(master);
  LoadOptions options = reload_load({Endpoint::v4(daemon.port())});
  options.pinging = 0;
  LoadGenerator load(options);
  ASSERT_TRUE(load.wait_for_completed(50));

  for (int reload = 1; reload <= 20; ++reload) {
    if (reload % 10 == 1) wait_for_loaded_moment(load, daemon.port());
    expect_reloaded(daemon.reload(with_workers(reload % 2 == 0 ? 2 : 3)), reload + 1);
  }

  EXPECT_TRUE(load.wait_for_completed(50));
  expect_lossless(load);
  EXPECT_TRUE(wait_until([&] { return has_only(daemon, 21, 2); }));
  EXPECT_TRUE(wait_until([&] { return fd_count(master) == descriptors; }))
      << fd_count(master) << " descriptors after, " << descriptors << " before";
  for (const pid_t child : children_of(master)) EXPECT_NE(state_of(child), 'Z') << child;
}

TEST_P(OftenTest, ASecondHupIsHeardWhileTheFirstReloads) {
  const std::string slow = "[drover]\nload = " + built("test-modules/slow_start.so") +
                           "\n[server slow]\nlisten = 127.0.0.1:{port2}\nprotocol = slow_start\n";
  Daemon daemon({.config = with_workers(2)});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));

  wait_for_loaded_moment(load, daemon.port());
  write_file(daemon.file("slow.conf"), daemon.expand(slow));
  daemon.rewrite_config(
      replace_all(with_workers(3), "load = echo\n", "load = echo\ninclude = {dir}/slow.conf\n"));
  daemon.signal_master(SIGHUP);
  ASSERT_TRUE(wait_until([&] { return !daemon.workers_of(2).empty(); }));
  daemon.rewrite_config(with_workers(4));
  daemon.signal_master(SIGHUP);

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.serving() != nullptr && now.serving()->workers.size() == 4;
  }));
  EXPECT_TRUE(load.wait_for_completed(100));
  expect_lossless(load);
  EXPECT_TRUE(wait_until([&] { return has_only(daemon, 3, 4); }));
}

// A connection of the generation that serves: one that was made right after a reload may have been
// accepted by the former one.
Client held_client(Daemon& daemon) {
  while (true) {
    Client client(Endpoint::v4(daemon.port()));
    EXPECT_EQ(client.exchange("held"), "held");
    if (owner_pid_of(client.name(), daemon.port(), {daemon.worker_pid(0)}) != 0) return client;
  }
}

// A cut generation is given ten seconds, and a reload during them does not give it more.
TEST(MaxDraining, CutsTheOldestWithinTenSeconds) {
  constexpr Millis kCut{10'000};
  constexpr Millis kSlack{2'500};
  const std::string text = config("workers = 1\nworker_shutdown_timeout = 10m\nmax_draining = 2\n",
                                  echo_server("exclusive"));
  Daemon daemon({.config = text});
  std::vector<Client> held;
  const auto hold_and_reload = [&](int generation) {
    held.push_back(held_client(daemon));
    expect_reloaded(daemon.reload(text), generation);
  };
  for (const int generation : {2, 3, 4}) hold_and_reload(generation);
  const auto first_cut = Clock::now();

  EXPECT_EQ(held[0].next(kCut / 2), Client::Next::kSilence);
  for (const int generation : {5, 6}) hold_and_reload(generation);
  const auto second_cut = Clock::now();
  EXPECT_TRUE(wait_until_gone(daemon, 1, kCut + kSlack));
  EXPECT_LE(since(first_cut), kCut + kSlack);
  EXPECT_GE(since(first_cut), kCut * 3 / 4);

  EXPECT_TRUE(wait_until_gone(daemon, 2, kCut + kSlack));
  EXPECT_TRUE(wait_until_gone(daemon, 3, kCut + kSlack));
  EXPECT_LE(since(second_cut), kCut + kSlack);
  EXPECT_EQ(daemon.status().generations.size(), 3U);  // two drain, one serves
  EXPECT_EQ(daemon.status().totals.drained_cut, 3);
  EXPECT_EQ(held[3].exchange("still"), "still");
  EXPECT_EQ(held[4].exchange("still"), "still");
}

// A stop or a cut moves a deadline forward, never back.
TEST(MaxDraining, GivesNoGenerationMoreTimeThanItHad) {
  const std::string text = config("workers = 1\nworker_shutdown_timeout = 2s\nmax_draining = 1\n",
                                  echo_server("exclusive"));
  Daemon daemon({.config = text});
  Client first = held_client(daemon);
  expect_reloaded(daemon.reload(text), 2);
  const Client second = held_client(daemon);
  expect_reloaded(daemon.reload(text), 3);

  EXPECT_EQ(first.next(Millis{4'000}), Client::Next::kEnd);
}

// The scoreboard has room for 32 generations; a long-lived one must not share its place with the
// 32nd after it, whose acceptor would take its own workers for dead when the old ones end.
TEST(ManyGenerations, LeaveThePlaceOfOneThatStillDrainsAlone) {
  const std::string text =
      config("workers = 1\nworker_shutdown_timeout = 10m\n", echo_server("acceptor"));
  Daemon daemon({.config = text});
  Client held = held_client(daemon);

  for (int reload = 0; reload < 32; ++reload) ASSERT_EQ(daemon.reload(text).status, 0);
  EXPECT_EQ(held.exchange("still"), "still");
  held.close();

  EXPECT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));
  EXPECT_EQ(answer(daemon), "hello");
}

// Workers that start slowly, over the end of steer_linger: the sockets they were born with stay.
TEST(Reuseport, KeepsTheSurplusThatAComingGenerationCountsOn) {
  const auto text = [](int workers, const char* linger) {
    return config("workers = " + std::to_string(workers) + "\nsteer_linger = " + linger + "\n",
                  echo_server("reuseport"));
  };
  const std::string slow =
      replace_all(text(5, "800ms"), "load = echo\n",
                  "load = echo\nload = " + built("test-modules/slow_start.so") + "\n") +
      "\n[server slow]\nlisten = 127.0.0.1:{port2}\nprotocol = slow_start\n";
  Daemon daemon({.config = text(5, "800ms")});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));

  wait_for_loaded_moment(load, daemon.port());
  expect_reloaded(daemon.reload(text(2, "800ms")), 2);
  ASSERT_EQ(queue_state(daemon.port()).listeners, 5);
  expect_reloaded(daemon.reload(slow), 3);

  EXPECT_EQ(queue_state(daemon.port()).listeners, 5);
  EXPECT_TRUE(load.wait_for_completed(200));
  expect_lossless(load);
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    const auto& workers = now.serving()->workers;
    return std::all_of(workers.begin(), workers.end(),
                       [](const WorkerStatus& worker) { return worker.counters.accepted > 0; });
  })) << "a slot has no socket";
}

}  // namespace
}  // namespace drover::test

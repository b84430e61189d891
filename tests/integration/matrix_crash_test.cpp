// Processes killed under checked load, for every strategy: whoever the dead one did not serve
// notices nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/integration/strategies.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

constexpr int kWaiting = 20;
// 100 ms are promised; less than a heartbeat (250 ms) shows that nobody waits for one.
constexpr Millis kServesAgain{kUnderAsan ? 1000 : 200};

// What the death of `pid` may end: the connections it has accepted. It is stopped first, so that
// the set is exact.
std::set<std::string> freeze_and_list(pid_t pid, std::uint16_t port) {
  stop(pid);
  return clients_of(pid, port);
}

// The same at a moment that counts: somebody is in the middle of a message.
std::set<std::string> freeze_under_load(pid_t pid, std::uint16_t port, const LoadGenerator& load) {
  std::set<std::string> owned;
  const bool is_busy = wait_until([&] {
    owned = freeze_and_list(pid, port);
    const bool is_now = load.snapshot_mid_message() > 0;
    if (!is_now) kill(pid, SIGCONT);
    return is_now;
  });
  EXPECT_TRUE(is_busy) << "the load was idle whenever it was looked at";
  return owned;
}

void print_moment(const char* strategy, const LoadGenerator& load, std::uint16_t port,
                  size_t owned) {
  std::cout << strategy << ": owned=" << owned << " mid-message=" << load.snapshot_mid_message()
            << " queued=" << queue_state(port).queued << "\n";
}

class CrashMatrix : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] std::string serving(const std::string& drover) const {
    return config(drover, echo_server(GetParam()));
  }
};

TEST_P(CrashMatrix, KillOfAWorkerEndsOnlyItsOwnConnections) {
  Daemon daemon({.config = serving("workers = 4")});
  LoadGenerator load(moderate_load(daemon));
  ASSERT_TRUE(load.wait_for_completed(200));
  Client first(Endpoint::v4(daemon.port()));
  ASSERT_EQ(first.exchange("x"), "x");
  const pid_t victim = owner_pid_of(first.name(), daemon.port(), worker_pids(daemon));

  const std::set<std::string> owned = freeze_under_load(victim, daemon.port(), load);
  print_moment(GetParam(), load, daemon.port(), owned.size());
  kill_now(victim);

  EXPECT_TRUE(load.wait_for_completed(400));
  load.stop();
  EXPECT_EQ(owned.count(first.name()), 1U);
  EXPECT_NE(first.next(), Client::Next::kSilence) << "the kill ended nothing";
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  EXPECT_EQ(daemon.workers_of(1).size(), 4U);
}

// With one worker the next connection can be served by its successor only.
TEST_P(CrashMatrix, TheSlotOfAKilledWorkerServesAgainWithin100Ms) {
  Daemon daemon({.config = serving("workers = 1")});
  ASSERT_EQ(answer(daemon), "hello");
  Millis best{10'000};

  for (int kill = 0; kill < 2; ++kill) {  // the third early death would start the back-off
    const auto killed_at = Clock::now();
    kill_now(daemon.worker_pid(0));
    ASSERT_EQ(answer(daemon), "hello");
    best = std::min(best, since(killed_at));
  }

  std::cout << GetParam() << ": served " << best.count() << " ms after the kill\n";
  EXPECT_LT(best, kServesAgain);
  EXPECT_TRUE(daemon.wait_for_log("worker 0 gen 1 ready"));
}

// Whether they wait in the listener's queue, in a member's own or in the acceptor's pairs.
TEST_P(CrashMatrix, ConnectionsThatWaitForKilledWorkersAreServed) {
  Daemon daemon({.config = serving("workers = 2")});
  ASSERT_EQ(answer(daemon), "hello");
  const std::vector<pid_t> workers = worker_pids(daemon);
  const auto serve_nobody = [&] {
    return std::ranges::all_of(workers,
                               [&](pid_t pid) { return clients_of(pid, daemon.port()).empty(); });
  };
  ASSERT_TRUE(wait_until(serve_nobody));
  for (const pid_t pid : workers) stop(pid);
  std::vector<Client> clients;
  for (int i = 0; i < kWaiting; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    clients.back().send_all("first words");
  }
  EXPECT_TRUE(serve_nobody());

  for (const pid_t pid : workers) kill_now(pid);

  for (Client& client : clients) EXPECT_EQ(client.receive(11), "first words");
}

TEST_P(CrashMatrix, KilledWorkersOneAfterAnotherLoseNothingElse) {
  Daemon daemon({.config = serving("workers = 3")});
  LoadGenerator load(moderate_load(daemon));
  ASSERT_TRUE(load.wait_for_completed(100));
  std::set<std::string> owned;

  for (int slot = 0; slot < 3; ++slot) {
    const pid_t victim = daemon.worker_pid(slot);
    owned.merge(freeze_and_list(victim, daemon.port()));
    kill_now(victim);
    ASSERT_TRUE(wait_until([&] {
      const pid_t now = daemon.worker_pid(slot);
      return now != 0 && now != victim;
    }));
    ASSERT_TRUE(load.wait_for_completed(50));
  }

  load.stop();
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  const DaemonStatus now = daemon.status();
  for (const WorkerStatus& worker : now.serving()->workers) {
    EXPECT_EQ(worker.restarts, 1) << worker.slot;
    EXPECT_EQ(worker.state, "ready") << worker.slot;
  }
}

TEST_P(CrashMatrix, TermToAWorkerDrainsAndRefillsIt) {
  Daemon daemon({.config = serving("workers = 3\nworker_shutdown_timeout = 60s")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");
  const pid_t leaver = owner_pid_of(client.name(), daemon.port(), worker_pids(daemon));
  LoadGenerator load({.targets = {Endpoint::v4(daemon.port())},
                      .concurrency = 40,
                      .connections_per_second = 400,
                      .max_message = 4096});
  ASSERT_TRUE(load.wait_for_completed(100));

  ::kill(leaver, SIGTERM);

  EXPECT_TRUE(wait_until([&] { return worker_pids(daemon).size() == 4; }));  // it and its successor
  EXPECT_TRUE(load.wait_for_completed(200));
  EXPECT_EQ(client.exchange("still served"), "still served");
  EXPECT_TRUE(is_alive(leaver));
  client.close();
  EXPECT_TRUE(wait_until([&] { return !is_alive(leaver); }));
  load.stop();
  EXPECT_EQ(text_of(load.failures()), "");
  EXPECT_EQ(worker_pids(daemon).size(), 3U);
}

TEST_P(CrashMatrix, WithoutTheMasterAllGoOnAndLeaveWhenTold) {
  Daemon daemon({.config = serving("workers = 2\nworker_shutdown_timeout = 60s")});
  std::vector<Client> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    ASSERT_EQ(clients.back().exchange("abc"), "abc");
  }

  kill_now(daemon.master_pid());

  EXPECT_TRUE(daemon.wait_for_log("master has gone: serving on"));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  EXPECT_TRUE(wait_until([&] { return !Client::try_connect(Endpoint::v4(daemon.port())); }));
  for (Client& client : clients) {
    EXPECT_EQ(client.exchange("still served"), "still served");
    client.half_close();
    EXPECT_EQ(client.next(), Client::Next::kEnd);
  }
  EXPECT_TRUE(daemon.wait_gone());
}

INSTANTIATE_TEST_SUITE_P(All, CrashMatrix, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(AcceptorKilled, EndsUnderLoadOnlyWhatItHadNotSent) {
  Daemon daemon({.config = config("workers = 3", echo_server("acceptor"))});
  LoadGenerator load(moderate_load(daemon));
  ASSERT_TRUE(load.wait_for_completed(200));
  const pid_t victim = daemon.acceptor_pid();

  const std::set<std::string> owned = freeze_and_list(victim, daemon.port());
  ASSERT_TRUE(wait_until([&] { return queue_state(daemon.port()).queued > 0; }));
  print_moment("acceptor", load, daemon.port(), owned.size());
  kill_now(victim);

  EXPECT_TRUE(load.wait_for_completed(200));
  load.stop();
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  EXPECT_NE(daemon.acceptor_pid(), victim);
}

}  // namespace
}  // namespace drover::test

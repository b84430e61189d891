// Processes that die: what is said about it, when the next one starts, and what the kernel keeps
// meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

int count_of(std::string_view text, std::string_view word) {
  int count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

std::string lines_with(const std::string& text, std::string_view word) {
  std::string found;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    const std::string line = text.substr(from, end - from);
    if (line.find(word) != std::string::npos) found += line + "\n";
    from = end + 1;
  }
  return found;
}

WorkerStatus slot_of(const DaemonStatus& now, size_t slot) {
  return now.serving()->workers.at(slot);
}

// Stopped by DROVER_PAUSE at the line after accept4, with the third of a turn's connections.
TEST(AcceptorKilled, EndsExactlyWhatItHadAcceptedAndNotSent) {
  Daemon daemon({.config = config("workers = 2", echo_server("acceptor")),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "acceptor.accepted:10"}}});
  for (int i = 0; i < 7; ++i) ASSERT_EQ(answer(daemon), "hello");
  const pid_t victim = daemon.acceptor_pid();
  stop(victim);
  std::vector<Client> held;
  std::vector<Client> queued;
  for (int i = 0; i < 7; ++i) {
    std::vector<Client>& side = i < 3 ? held : queued;
    side.emplace_back(Endpoint::v4(daemon.port()));
    side.back().send_all("first words");
  }
  resume(victim);
  ASSERT_TRUE(wait_until([&] { return clients_of(victim, daemon.port()).size() == 3; }));
  ASSERT_EQ(daemon.wait_for_paused(), victim);

  kill_now(victim);

  for (Client& client : held) EXPECT_NE(client.next(), Client::Next::kBytes);
  for (Client& client : queued) EXPECT_EQ(client.receive(11), "first words");
  EXPECT_EQ(answer(daemon), "hello");
}

const std::string kDyingSlots = [] {
  std::string servers = "\n[server dying]\nlisten = 127.0.0.1:{port9}\nprotocol = dying\n";
  for (size_t i = 0; i < kStrategies.size(); ++i) {
    const std::string number = i == 0 ? "" : std::to_string(i + 1);
    servers += echo_server(kStrategies[i], "127.0.0.1:{port" + number + "}",
                           std::string("e_") + kStrategies[i]);
  }
  return config("workers = 2\nload = " + built("test-modules/dying.so"), servers);
}();

std::vector<Endpoint> all_targets(Daemon& daemon) {
  std::vector<Endpoint> targets;
  for (size_t i = 0; i < kStrategies.size(); ++i) {
    targets.push_back(Endpoint::v4(daemon.port(static_cast<int>(i) + 1)));
  }
  return targets;
}

// The slot's module dies at every start: 100 ms, 200, 400 ... The other slot serves on, whatever
// the strategy.
TEST(SlotThatDiesAtStart, BacksOffWhileTheOtherServesOn) {
  const TempDir switches;
  const std::string die = switches.file("die");
  Daemon daemon({.config = kDyingSlots, .environment = {{"DYING_IF", die}}});
  LoadGenerator load(
      {.targets = all_targets(daemon), .concurrency = 30, .connections_per_second = 200});
  ASSERT_TRUE(load.wait_for_completed(100));
  const pid_t victim = daemon.worker_pid(1);
  write_file(die, "");
  stop(victim);
  std::set<std::string> owned;
  for (int port = 1; port <= 5; ++port) owned.merge(clients_of(victim, daemon.port(port)));

  kill_now(victim);
  const auto killed_at = Clock::now();
  load.reset_latencies();
  std::vector<Millis> starts;
  while (since(killed_at) < Millis{14'000}) {
    const auto now = daemon.status();
    const auto restarts = static_cast<size_t>(slot_of(now, 1).restarts);
    while (starts.size() < restarts) starts.push_back(since(killed_at));
    std::this_thread::sleep_for(Millis{20});
  }

  const LoadStats stats = load.stop();
  EXPECT_EQ(text_of(load.failures_beside(owned)), "");
  EXPECT_LT(stats.max_first_byte, Millis{2500});
  // At 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3, 12.7 s: at most ten in any minute.
  ASSERT_GE(starts.size(), 6U);
  ASSERT_LE(starts.size(), 8U);
  for (size_t i = 3; i < starts.size(); ++i) {
    EXPECT_GE(starts[i] - starts[i - 1], Millis{(100 << (i - 1)) * 8 / 10}) << i;
  }
  for (const char* wait : {"100 ms", "200 ms", "400 ms"}) {
    EXPECT_TRUE(daemon.log_contains(std::string("worker 1: starting the next in ") + wait)) << wait;
  }
  EXPECT_LE(count_of(daemon.log(), "worker 1 gen 1 ended"), 10);
  EXPECT_EQ(slot_of(daemon.status(), 0).restarts, 0);
}

TEST(SlotThatDiesAtStart, ServesAgainWhenItsModuleStarts) {
  const TempDir switches;
  const std::string die = switches.file("die");
  Daemon daemon({.config = kDyingSlots, .environment = {{"DYING_IF", die}}});
  write_file(die, "");
  kill_now(daemon.worker_pid(1));
  ASSERT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return slot_of(now, 1).state == "backoff"; }));

  std::filesystem::remove(die);

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return slot_of(now, 1).state == "ready"; }));
  for (int port = 1; port <= 5; ++port) EXPECT_EQ(answer(daemon, port), "hello");
}

std::string crashing_config(const std::string& drover) {
  return config(drover + "\nload = " + built("test-modules/crashing.so"),
                "\n[server echo]\nlisten = 127.0.0.1:{port}\naccept = exclusive\n"
                "protocol = crashing\n");
}

void crash(Client& client) {
  client.send_all("crash\n");
  EXPECT_NE(client.next(), Client::Next::kBytes);
}

TEST(CrashReport, NamesSlotGenerationSignalAndFrames) {
  Daemon daemon({.config = crashing_config("workers = 2")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("x"), "x");
  const pid_t victim = owner_pid_of(client.name(), daemon.port(), worker_pids(daemon));
  const int slot = daemon.worker_pid(0) == victim ? 0 : 1;
  const std::string who = "worker " + std::to_string(slot) + " gen 1";

  crash(client);

  ASSERT_TRUE(daemon.wait_for_log(who + " ready"));
  EXPECT_TRUE(daemon.log_contains(who + " ended: pid=" + std::to_string(victim)));
  EXPECT_TRUE(daemon.log_contains("was killed by signal 11 (SIGSEGV)"));
  EXPECT_TRUE(daemon.log_contains(who + " crashed: signal=SEGV address=0x10"));
  const std::string frames = lines_with(daemon.log(), who + " crashed: frame=");
  EXPECT_NE(frames.find("crashing.so+0x"), std::string::npos) << frames;
  EXPECT_NE(frames.find("drover::Connection::"), std::string::npos) << frames;
}

TEST(CrashReport, TheOthersGoOn) {
  Daemon daemon({.config = crashing_config("workers = 4")});
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    ASSERT_EQ(clients.back().exchange("abc"), "abc");
  }
  const pid_t victim = owner_pid_of(clients[0].name(), daemon.port(), worker_pids(daemon));
  const std::set<std::string> owned = clients_of(victim, daemon.port());
  ASSERT_LT(owned.size(), clients.size());

  crash(clients[0]);

  for (Client& client : clients) {
    if (owned.count(client.name()) != 0) continue;
    EXPECT_EQ(client.exchange("still"), "still");
  }
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(CrashReport, TheThirdQuickDeathStartsTheBackOff) {
  Daemon daemon({.config = crashing_config("workers = 1")});

  for (int death = 1; death <= 4; ++death) {
    EXPECT_EQ(daemon.log_contains("starting the next in"), death > 3) << death;
    Client client(Endpoint::v4(daemon.port()));
    crash(client);
    ASSERT_TRUE(daemon.wait_for_status(
        [&](const DaemonStatus& now) { return slot_of(now, 0).restarts == death; }));
    ASSERT_EQ(answer(daemon), "hello");
  }

  EXPECT_TRUE(daemon.log_contains("worker 0: starting the next in 100 ms"));
  EXPECT_TRUE(daemon.log_contains("worker 0: starting the next in 200 ms"));
}

}  // namespace
}  // namespace drover::test

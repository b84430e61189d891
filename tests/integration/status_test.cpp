// What `-s status` says of a running daemon is what was done to it.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/manual_names.h"
#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

const std::string kCrashing = config("workers = 1\nload = " + built("test-modules/crashing.so"),
                                     "\n[server echo]\nlisten = 127.0.0.1:{port}\n"
                                     "protocol = crashing\n");

WorkerStatus only_worker(Daemon& daemon) { return daemon.status().serving()->workers.at(0); }

std::string address_of(Daemon& daemon) { return "127.0.0.1:" + std::to_string(daemon.port()); }

// The worker dies of it; returns when the next one is ready.
void crash_only_worker(Daemon& daemon) {
  Client client(Endpoint::v4(daemon.port()));
  client.send_all("crash\n");
  EXPECT_NE(client.next(), Client::Next::kBytes);
  ASSERT_TRUE(daemon.wait_for_log("worker 0 gen 1 ready"));
}

TEST(Status, TellsHowOftenTheLoopTurnedAndHowLong) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive"))});
  const std::int64_t before = only_worker(daemon).turns;
  Client client(Endpoint::v4(daemon.port()));
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.exchange("x"), "x");

  ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    const WorkerStatus& worker = now.serving()->workers.at(0);
    return worker.turns >= before + 50 && worker.loop_p99_us > 0;
  }));
  const WorkerStatus worker = only_worker(daemon);
  EXPECT_LE(worker.loop_p99_us, worker.loop_max_us);
}

TEST(Status, TakesTheStartOfAModuleForNoTurn) {
  Daemon daemon(
      {.config = config("workers = 1\nload = " + built("test-modules/slow_start.so") + "\n",
                        "\n[server slow]\nlisten = 127.0.0.1:{port}\nprotocol = slow_start\n")});

  ASSERT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.serving()->workers.at(0).turns > 0; }));

  EXPECT_LT(only_worker(daemon).loop_max_us, 1'000'000);
}

TEST(Status, TellsTheUptimeOfEachProcess) {
  Daemon daemon({.config = config("workers = 1", echo_server("acceptor"))});
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.serving()->workers.at(0).uptime_ms > 300 && now.serving()->acceptor->uptime_ms > 300;
  }));

  kill_now(daemon.worker_pid(0));

  ASSERT_TRUE(daemon.wait_for_log("worker 0 gen 1 ready"));
  const DaemonStatus now = daemon.status();
  EXPECT_LT(now.serving()->workers.at(0).uptime_ms, now.serving()->acceptor->uptime_ms);
  EXPECT_LE(now.serving()->acceptor->uptime_ms, now.uptime_ms);
}

TEST(Status, CountsWhatTheAcceptorTook) {
  Daemon daemon({.config = config("workers = 2", echo_server("acceptor"))});
  for (int i = 0; i < 5; ++i) ASSERT_EQ(answer(daemon), "hello");

  const DaemonStatus now = daemon.status();

  EXPECT_EQ(now.serving()->acceptor->pid, daemon.acceptor_pid());
  EXPECT_EQ(now.serving()->acceptor->state, "ready");
  EXPECT_EQ(now.serving()->acceptor->counters.accepted, 5);
  EXPECT_EQ(now.serving()->acceptor->held, 0);
  EXPECT_EQ(now.totals.accepted, 5) << "a connection is counted once";
}

TEST(Status, HasTheLastCrashOfASlotAsTheLogHasIt) {
  Daemon daemon({.config = kCrashing});
  EXPECT_FALSE(only_worker(daemon).last_crash);
  const pid_t victim = daemon.worker_pid(0);

  crash_only_worker(daemon);

  const auto crash = only_worker(daemon).last_crash;
  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->pid, victim);
  EXPECT_EQ(crash->signal, "SEGV");
  EXPECT_EQ(crash->module, "crashing.so");
  EXPECT_EQ(crash->address, "0x10");
  EXPECT_GE(crash->age_ms, 0);
  ASSERT_GT(crash->backtrace.size(), 3U);
  for (const std::string& frame : crash->backtrace)
    EXPECT_TRUE(daemon.log_contains(" address=" + frame + "\n")) << frame;
  const CommandResult table = daemon.run_command({"-s", "status"});
  EXPECT_NE(table.output.find("last crash of slot 0: pid " + std::to_string(victim) +
                              " was killed by signal 11 (SIGSEGV)"),
            std::string::npos)
      << table.output;
}

// The first gives way to the second; a signal that cannot be caught leaves no report.
TEST(Status, TellsOfAKillWithoutAReport) {
  Daemon daemon({.config = kCrashing});
  crash_only_worker(daemon);
  const pid_t victim = daemon.worker_pid(0);

  kill_now(victim);

  ASSERT_TRUE(daemon.wait_for_status([victim](const DaemonStatus& now) {
    const auto& crash = now.serving()->workers.at(0).last_crash;
    return crash && crash->pid == victim;
  }));
  const auto crash = only_worker(daemon).last_crash;
  EXPECT_EQ(crash->signal, "KILL");
  EXPECT_EQ(crash->module, "");
  EXPECT_TRUE(crash->backtrace.empty());
}

// sigabbrev_np(3) has no name for it.
TEST(Status, TellsOfADeathByARealTimeSignal) {
  Daemon daemon({.config = kCrashing});
  const pid_t victim = daemon.worker_pid(0);

  ASSERT_EQ(::kill(victim, SIGRTMIN + 1), 0);

  ASSERT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.serving()->workers.at(0).last_crash.has_value(); }));
  EXPECT_EQ(only_worker(daemon).last_crash->signal, "RT1");
}

class QueueTest : public ::testing::TestWithParam<const char*> {};

TEST_P(QueueTest, IsAsLongAsWhatNobodyAccepts) {
  Daemon daemon(
      {.config = config("workers = 2", echo_server(GetParam(), "127.0.0.1:{port} backlog=64"))});
  std::vector<pid_t> stopped = worker_pids(daemon);
  if (daemon.acceptor_pid() != 0) stopped.push_back(daemon.acceptor_pid());
  for (const pid_t pid : stopped) stop(pid);
  std::vector<Client> waiting;
  for (int i = 0; i < 7; ++i) waiting.emplace_back(Endpoint::v4(daemon.port()));

  const DaemonStatus now = daemon.status();
  for (const pid_t pid : stopped) resume(pid);

  const ListenerStatus& listener = now.listener(address_of(daemon));
  std::int64_t queued = 0;
  for (const auto& socket : listener.sockets) {
    queued += socket.queued;
    EXPECT_EQ(socket.backlog, 64);
    EXPECT_FALSE(socket.is_surplus);
  }
  EXPECT_EQ(listener.sockets.size(), std::string_view("reuseport") == GetParam() ? 2U : 1U);
  EXPECT_EQ(listener.server, "echo");
  EXPECT_EQ(queued, 7);
  for (Client& client : waiting) EXPECT_EQ(client.exchange("late"), "late");
}

INSTANTIATE_TEST_SUITE_P(All, QueueTest, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(Queue, OfAUnixListenerIsTold) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive", "unix:{dir}/s"))});
  const pid_t worker = daemon.worker_pid(0);
  stop(worker);
  std::vector<Client> waiting;
  for (int i = 0; i < 3; ++i) waiting.emplace_back(Endpoint::unix_path(daemon.file("s")));

  const DaemonStatus now = daemon.status();
  resume(worker);

  const ListenerStatus& listener = now.listener("unix:" + daemon.file("s"));
  EXPECT_EQ(listener.sockets.at(0).queued, 3);
  EXPECT_GT(listener.sockets.at(0).backlog, 0);
  EXPECT_EQ(listener.half_open, -1);
}

// With `deferred` a client that has said nothing is half-open for the kernel.
TEST(Queue, CountsHalfOpenConnections) {
  Daemon daemon(
      {.config = config("workers = 1", echo_server("exclusive", "127.0.0.1:{port} deferred"))});
  std::vector<Client> silent;
  for (int i = 0; i < 5; ++i) silent.emplace_back(Endpoint::v4(daemon.port()));

  EXPECT_EQ(daemon.status().listener(address_of(daemon)).half_open, 5);

  ASSERT_EQ(silent.back().exchange("x"), "x");
  EXPECT_EQ(daemon.status().listener(address_of(daemon)).half_open, 4);
}

TEST(Queue, OfWhatAReloadLeavesOverIsSurplus) {
  const auto text = [](int workers) {
    return config("steer_linger = 1h\nworkers = " + std::to_string(workers),
                  echo_server("reuseport"));
  };
  Daemon daemon({.config = text(3)});
  ASSERT_EQ(daemon.reload(text(1)).status, 0);

  const auto sockets = daemon.status().listener(address_of(daemon)).sockets;

  ASSERT_EQ(sockets.size(), 3U);
  EXPECT_FALSE(sockets[0].is_surplus);
  EXPECT_TRUE(sockets[1].is_surplus);
  EXPECT_TRUE(sockets[2].is_surplus);
}

TEST(Status, DoesNotWaitForProcessesThatAreStopped) {
  Daemon daemon({.config = config("workers = 2", echo_server("acceptor"))});
  const std::vector<pid_t> pids = worker_pids(daemon);
  stop(pids[0]);
  stop(daemon.acceptor_pid());

  const auto asked = Clock::now();
  const DaemonStatus now = daemon.status();

  EXPECT_LT(since(asked), Millis{1000});
  EXPECT_EQ(now.serving()->workers.size(), 2U);
}

// Scripts rely on the names, so the manual has them all.
TEST(Status, HasNoNameInJsonThatTheManualDoesNotTell) {
  Daemon daemon({.config = config("workers = 1\nload = " + built("test-modules/crashing.so") +
                                      "\nload = " + built("test-modules/tally.so") +
                                      "\nload = " + built("test-modules/helping.so"),
                                  "\n[zone z]\nsize = 1m\n"
                                  "\n[server echo]\nlisten = 127.0.0.1:{port}\n"
                                  "accept = acceptor\nprotocol = crashing\n"
                                  "\n[server tally]\nprotocol = tally\n"
                                  "\n[server helping]\nprotocol = helping\n")});
  crash_only_worker(daemon);

  expect_all_in_manual(daemon.run_command({"-s", "status", "--json"}).output, 50);
}

}  // namespace
}  // namespace drover::test

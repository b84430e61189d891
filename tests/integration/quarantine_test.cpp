// A module that crashes or hangs again and again is taken out of service, and nobody else is.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "common/process.h"
#include "tests/integration/strategies.h"
#include "tests/support/peer.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

std::string server(const std::string& name, const std::string& strategy,
                   const std::string& protocol, const std::string& port) {
  return "\n[server " + name + "]\nlisten = 127.0.0.1:{" + port + "}\naccept = " + strategy +
         "\nprotocol = " + protocol + "\n";
}

// Servers of a bad module at {port}, and at {port3} a second one; echo at {port2}.
std::string text(const std::string& drover, const std::string& bad = "crashing",
                 const std::string& strategy = "exclusive") {
  return config(drover + "\nload = " + built("test-modules/" + bad + ".so"),
                server("bad", strategy, bad, "port") + server("good", strategy, "echo", "port2") +
                    server("worse", strategy, bad, "port3"));
}

bool is_quarantined(const DaemonStatus& now) {
  return std::ranges::any_of(now.modules, &ModuleStatus::quarantined);
}

bool all_ready(const DaemonStatus& now) {
  return std::ranges::all_of(now.serving()->workers,
                             [](const WorkerStatus& worker) { return worker.state == "ready"; });
}

bool is_refused(Daemon& daemon, int port = 1) {
  int why = 0;
  return !Client::try_connect(Endpoint::v4(daemon.port(port)), &why) && why == ECONNREFUSED;
}

bool has_ended(Client& client) {
  const Client::Next next = client.next();
  return next == Client::Next::kEnd || next == Client::Next::kError;
}

// The worker that serves it dies, and has been missed when this returns.
void crash(Daemon& daemon, Client& client) {
  const std::int64_t before = daemon.status().module("crashing").crashes;
  client.send_all("crash\n");
  EXPECT_TRUE(has_ended(client));
  ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    return now.module("crashing").crashes == before + 1 && all_ready(now);
  }));
}

void crash(Daemon& daemon, int times) {
  for (int i = 0; i < times; ++i) {
    Client client(Endpoint::v4(daemon.port()));
    crash(daemon, client);
  }
}

std::vector<Client> connect_some(Daemon& daemon, int port, int count) {
  std::vector<Client> clients;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port(port)));
    EXPECT_EQ(clients.back().exchange("abc"), "abc");
  }
  return clients;
}

// How often the bad module was started in a worker.
std::size_t instances(const Daemon& daemon) {
  const std::string log = daemon.log();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = log.find("an instance was started", at)) != std::string::npos;
       ++at)
    ++count;
  return count;
}

// Returns when another serves its slot.
void end_worker(Daemon& daemon, int slot, int signal) {
  const pid_t victim = daemon.worker_pid(slot);
  kill(victim, signal);
  ASSERT_TRUE(wait_until([&] {
    const auto now = daemon.try_status();
    return now && now->serving()->workers[static_cast<std::size_t>(slot)].pid != victim &&
           all_ready(*now);
  }));
}

class Quarantine : public testing::TestWithParam<const char*> {};

TEST_P(Quarantine, TakesTheModulesServersOutOfServiceAndNobodyElse) {
  Daemon daemon({.config = text("workers = 3\nmax_crashes = 2", "crashing", GetParam())});
  crash(daemon, 2);
  EXPECT_FALSE(is_quarantined(daemon.status()));
  std::vector<Client> good = connect_some(daemon, 2, 9);
  std::vector<Client> worse = connect_some(daemon, 3, 6);
  std::vector<Client> bad = connect_some(daemon, 1, 1);
  const pid_t victim = owner_pid_of(bad[0].name(), daemon.port(), worker_pids(daemon));
  const std::set<std::string> owned = clients_of(victim, daemon.port(2));

  crash(daemon, bad[0]);

  EXPECT_TRUE(daemon.wait_for_status(&is_quarantined));
  EXPECT_TRUE(daemon.log_contains("module crashing quarantined: more than max_crashes = 2"));
  EXPECT_TRUE(daemon.log_contains("out of service: server=bad,worse."));
  EXPECT_TRUE(wait_until([&] { return is_refused(daemon, 1) && is_refused(daemon, 3); }));
  for (Client& client : worse) EXPECT_TRUE(has_ended(client));
  for (Client& client : good) {
    if (owned.count(client.name()) != 0) continue;
    EXPECT_EQ(client.exchange("still"), "still");
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answer(daemon, 2), "hello");
  EXPECT_EQ(daemon.status().serving()->number, 1) << "nobody drains for it";
}

TEST_P(Quarantine, LastsForWorkersThatAreStartedLater) {
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 1", "crashing", GetParam())});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  const std::size_t before = instances(daemon);
  EXPECT_EQ(before, 6U) << "of two servers, in two workers and the first successor";

  for (const int slot : {0, 1}) end_worker(daemon, slot, SIGKILL);

  EXPECT_EQ(instances(daemon), before);
  EXPECT_TRUE(is_refused(daemon));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answer(daemon, 2), "hello");
}

// Which drains by itself, with what it has of the others.
TEST_P(Quarantine, LetsAWorkerLeaveInOrder) {
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 1", "crashing", GetParam())});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  std::vector<Client> good = connect_some(daemon, 2, 6);
  const std::vector<pid_t> former = worker_pids(daemon);

  for (const int slot : {0, 1}) end_worker(daemon, slot, SIGTERM);

  EXPECT_TRUE(is_refused(daemon));
  for (Client& client : good) EXPECT_EQ(client.exchange("still"), "still");
  good.clear();
  for (const pid_t pid : former) EXPECT_TRUE(wait_until([&] { return !is_running(pid); }));
  EXPECT_EQ(daemon.status().module("crashing").crashes, 2);
  EXPECT_EQ(answer(daemon, 2), "hello");
}

// Full of the others' connections, it could not take what waits for the servers that go.
TEST_P(Quarantine, RefusesAtOnceWhereAWorkerIsFullAndLetsAReloadListenAgain) {
  const std::string config =
      text("workers = 2\nworker_connections = 4\nmax_crashes = 1", "crashing", GetParam());
  Daemon daemon({.config = config});
  crash(daemon, 1);
  std::vector<Client> bad = connect_some(daemon, 1, 1);
  std::vector<Client> good;
  for (int i = 0; i < 40; ++i) good.emplace_back(Endpoint::v4(daemon.port(2)));
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return std::ranges::all_of(now.serving()->workers,
                               [](const WorkerStatus& worker) { return worker.live == 4; });
  }));

  crash(daemon, bad[0]);

  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  EXPECT_TRUE(wait_until([&] { return is_refused(daemon, 1) && is_refused(daemon, 3); }));
  const CommandResult reload = daemon.reload(config);
  EXPECT_EQ(reload.status, 0) << reload.both();
  good.clear();
  EXPECT_EQ(answer(daemon, 1), "hello");
}

// The new master is started with all of them.
TEST_P(Quarantine, EndsWithTheMasterThatHasDecidedIt) {
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 1", "crashing", GetParam())});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  std::vector<Client> good = connect_some(daemon, 2, 4);

  daemon.signal_master(SIGKILL);
  ASSERT_TRUE(wait_until([&] { return daemon.master_pid() == 0; }));
  EXPECT_TRUE(is_refused(daemon));
  EXPECT_EQ(answer(daemon, 2), "hello");
  daemon.start_again();

  EXPECT_EQ(answer(daemon, 1), "hello");
  EXPECT_EQ(answer(daemon, 3), "hello");
  for (Client& client : good) EXPECT_EQ(client.exchange("still"), "still");
}

TEST_P(Quarantine, EndsWithAReload) {
  const std::string config = text("workers = 2\nmax_crashes = 1", "crashing", GetParam());
  Daemon daemon({.config = config});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  std::vector<Client> good = connect_some(daemon, 2, 4);

  const CommandResult reload = daemon.reload(config);

  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_FALSE(is_quarantined(daemon.status()));
  EXPECT_EQ(answer(daemon, 1), "hello");
  EXPECT_EQ(answer(daemon, 3), "hello");
  for (Client& client : good) EXPECT_EQ(client.exchange("still"), "still");
  crash(daemon, 1);
  EXPECT_FALSE(is_quarantined(daemon.status())) << "it counts anew";
  EXPECT_EQ(daemon.status().module("crashing").crashes, 3);
  crash(daemon, 1);
  EXPECT_TRUE(daemon.wait_for_status(&is_quarantined));
}

INSTANTIATE_TEST_SUITE_P(Strategies, Quarantine, testing::ValuesIn(kStrategies), strategy_name);

TEST(QuarantineAndTheAcceptor, LastsForOneThatIsStartedLater) {
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 1", "crashing", "acceptor")});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  const pid_t victim = daemon.acceptor_pid();

  kill_now(victim);

  ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    const auto& acceptor = now.serving()->acceptor;
    return acceptor && acceptor->pid != victim && acceptor->state == "ready";
  }));
  EXPECT_TRUE(is_refused(daemon));
  EXPECT_TRUE(is_refused(daemon, 3));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(answer(daemon, 2), "hello");
}

TEST(QuarantineOff, CountsAndTakesNobodyOutOfService) {
  Daemon daemon({.config = text("workers = 2")});

  crash(daemon, 5);

  EXPECT_EQ(daemon.status().module("crashing").crashes, 5);
  EXPECT_EQ(daemon.status().module("echo").crashes, 0);
  EXPECT_FALSE(is_quarantined(daemon.status()));
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(QuarantineOfHangs, CountsWhoseHookRan) {
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 1\nsteer_after = 300ms\n"
                                "hang_timeout = 500ms",
                                "blocking")});

  for (int hang = 1; hang <= 2; ++hang) {
    Client client(Endpoint::v4(daemon.port()));
    client.send_all("block 60000\n");
    ASSERT_TRUE(daemon.wait_for_status(
        [&](const DaemonStatus& now) { return now.module("blocking").hangs == hang; }));
  }

  EXPECT_TRUE(daemon.wait_for_status(&is_quarantined));
  EXPECT_EQ(daemon.status().module("blocking").crashes, 0);
  EXPECT_TRUE(wait_until([&] { return is_refused(daemon); }));
  EXPECT_EQ(answer(daemon, 2), "hello");
}

TEST(QuarantineOfKills, BlamesNoModule) {
  Daemon daemon({.config = text("workers = 1\nmax_crashes = 1")});

  for (int i = 0; i < 3; ++i) {
    const pid_t victim = daemon.worker_pid(0);
    kill_now(victim);
    ASSERT_TRUE(
        wait_until([&] { return daemon.worker_pid(0) != victim && all_ready(daemon.status()); }));
  }

  EXPECT_EQ(daemon.status().module("crashing").crashes, 0);
  EXPECT_EQ(answer(daemon), "hello");
}

// Which had waited for longer and longer: its cause has gone.
TEST(QuarantineAndBackOff, TheSlotNeedNotWaitAnyMore) {
  Daemon daemon({.config = text("workers = 1\nmax_crashes = 4")});

  crash(daemon, 5);

  EXPECT_TRUE(daemon.wait_for_status(&is_quarantined));
  EXPECT_TRUE(daemon.log_contains("starting the next in 200 ms"));
  EXPECT_FALSE(daemon.log_contains("starting the next in 400 ms"));
  EXPECT_EQ(answer(daemon, 2), "hello");
}

// What it asks for while it is being stopped would come when it is no more.
TEST(QuarantineOfAStubbornModule, LeavesNothingThatCouldCallIt) {
  Daemon daemon(
      {.config = config("workers = 2\nmax_crashes = 1\nload = " + built("test-modules/stubborn.so"),
                        server("bad", "acceptor balance=round-robin", "stubborn", "port") +
                            "stubborn.to = 127.0.0.1:{port3}\n" +
                            server("good", "acceptor balance=round-robin", "echo", "port2"))});
  const auto crash_one = [&](Client client, int before) {
    client.send_all("crash\n");
    EXPECT_TRUE(has_ended(client));
    return daemon.wait_for_status([&](const DaemonStatus& now) {
      return now.module("stubborn").crashes == before + 1 && all_ready(now);
    });
  };
  ASSERT_TRUE(crash_one(Client(Endpoint::v4(daemon.port())), 0));
  std::vector<Client> bad;
  for (int i = 0; i < 6; ++i) {
    bad.emplace_back(Endpoint::v4(daemon.port()));
    ASSERT_EQ(bad.back().exchange("abc\n"), "abc\n");
  }
  std::vector<Client> good = connect_some(daemon, 2, 6);
  const pid_t victim = owner_pid_of(bad.back().name(), daemon.port(), worker_pids(daemon));
  const std::set<std::string> owned = clients_of(victim, daemon.port(2));

  ASSERT_TRUE(crash_one(std::move(bad.back()), 1));

  bad.pop_back();
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  for (Client& client : bad) EXPECT_TRUE(has_ended(client));
  std::erase_if(good, [&](const Client& client) { return owned.count(client.name()) != 0; });
  ASSERT_GE(good.size(), 3U) << "those of the other worker";
  const auto until = Clock::now() + Millis{300};  // its timer would have rung, its calls failed
  while (Clock::now() < until) {
    for (Client& client : good) ASSERT_EQ(client.exchange("still"), "still");
  }
  EXPECT_EQ(daemon.status().module("stubborn").crashes, 2);
}

// A slot that comes back over and over only to die before it is ready serves nobody.
class QuarantineOfOneThatDiesAtStart : public testing::TestWithParam<const char*> {};

TEST_P(QuarantineOfOneThatDiesAtStart, LetsTheSlotServeTheOthers) {
  const TempDir switches;
  const std::string die = switches.file("die");
  Daemon daemon({.config = text("workers = 1\nmax_crashes = 2", "dying"),
                 .environment = {{"DYING_IF", die}, {"DYING", GetParam()}}});
  write_file(die, "");

  kill_now(daemon.worker_pid(0));

  EXPECT_TRUE(daemon.wait_for_status(&is_quarantined));
  EXPECT_EQ(daemon.status().module("dying").crashes, 3);
  EXPECT_EQ(answer(daemon, 2), "hello");
  EXPECT_TRUE(is_refused(daemon));
  EXPECT_NE(daemon.run_command({"-s", "reload"}).status, 0) << "it still dies at its start";
  EXPECT_EQ(answer(daemon, 2), "hello");
  EXPECT_TRUE(is_quarantined(daemon.status())) << "a reload that is refused changes nothing";
}

INSTANTIATE_TEST_SUITE_P(All, QuarantineOfOneThatDiesAtStart,
                         testing::Values("abort", "exit", "refuse"),
                         [](const auto& each) { return std::string(each.param); });

// The slot that has died most often waits longest, perhaps for the one that is to blame.
TEST(QuarantineOfOneThatDies, StartsTheSlotsThatWaited) {
  const TempDir switches;
  const std::string die = switches.file("die");
  Daemon daemon({.config = text("workers = 2\nmax_crashes = 7", "dying"),
                 .environment = {{"DYING_IF", die}}});
  write_file(die, "");
  kill_now(daemon.worker_pid(0));
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    const WorkerStatus& worker = now.serving()->workers.at(0);
    return worker.state == "backoff" && worker.restarts == 6;  // for 3.2 s
  }));

  kill_now(daemon.worker_pid(1));

  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));
  const auto asked = Clock::now();
  EXPECT_TRUE(daemon.wait_for_status(&all_ready));
  EXPECT_LT(Clock::now() - asked, Millis{2'000});
}

TEST(QuarantineOfStreams, RefusesThemAndTheirCarrierGoesOn) {
  Daemon daemon({.config = config(
                     "workers = 1\nmax_crashes = 1\nload = " + built("test-modules/crashing.so") +
                         "\nload = " + built("test-modules/carrier.so"),
                     "\n[server inner]\nprotocol = crashing\n"
                     "\n[server outer]\nlisten = 127.0.0.1:{port}\nprotocol = carrier\n"
                     "carrier.serve = inner\n" +
                         echo_server("exclusive", "127.0.0.1:{port2}"))});
  for (int i = 0; i < 2; ++i) {
    const auto stream = make_stream_peer(Endpoint::v4(daemon.port()));
    stream->send_all("crash\n");
    ASSERT_TRUE(stream->ends());
    ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
      return now.module("crashing").crashes == i + 1 && all_ready(now);
    }));
  }
  ASSERT_TRUE(is_quarantined(daemon.status()));

  CarrierClient carrier(Endpoint::v4(daemon.port()));
  for (std::uint32_t stream = 1; stream <= 3; ++stream) {
    carrier.send(stream, CarrierClient::Type::kData, "x");
    const CarrierClient::Frame frame = carrier.receive();
    EXPECT_EQ(frame.type, CarrierClient::Type::kReset);
    EXPECT_EQ(frame.stream, stream);
  }
  EXPECT_EQ(daemon.status().module("carrier").crashes, 0);
  EXPECT_EQ(answer(daemon, 2), "hello");
}

TEST(QuarantineOfAUnixSocket, RemovesItsFile) {
  Daemon daemon(
      {.config = config(
           "workers = 1\nmax_crashes = 1\nload = " + built("test-modules/crashing.so"),
           server("bad", "exclusive", "crashing", "port") + "listen = unix:{dir}/bad.sock\n")});
  ASSERT_TRUE(std::filesystem::exists(daemon.file("bad.sock")));

  crash(daemon, 2);

  EXPECT_TRUE(wait_until([&] { return !std::filesystem::exists(daemon.file("bad.sock")); }));
}

// The workers of an older generation accept until its acceptor has left.
TEST(QuarantineAndAnOlderGeneration, ItsListenersAreClosedThereToo) {
  const std::string text = config(
      "workers = 1\nmax_crashes = 1\nload = " + built("test-modules/crashing.so"),
      server("bad", "shared", "crashing", "port") + server("good", "acceptor", "echo", "port2"));
  Daemon daemon({.config = text});
  stop(daemon.acceptor_pid());
  ASSERT_EQ(daemon.reload(text).status, 0);
  ASSERT_EQ(daemon.workers_of(1).size(), 1U);
  const pid_t older = daemon.workers_of(1)[0].pid;
  stop(older);  // so that none of the crashes is its own
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));

  kill(older, SIGCONT);

  EXPECT_TRUE(wait_until([&] { return is_refused(daemon); }));
  EXPECT_EQ(answer(daemon, 2), "hello");
}

// The new master is started with all of them: an upgrade is a reload, too.
TEST(QuarantineAndUpgrade, TheNewBinaryServesThemAgain) {
  Daemon daemon({.config = text("workers = 1\nmax_crashes = 1")});
  crash(daemon, 2);
  ASSERT_TRUE(daemon.wait_for_status(&is_quarantined));

  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});

  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(answer(daemon, 2), "hello");
}

}  // namespace
}  // namespace drover::test

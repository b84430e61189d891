// The master is killed: its workers serve on, and whoever starts next takes over from them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "tests/integration/counter_daemon.h"
#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

constexpr Millis kWatch{1000};  // of CPU time

std::string text(const std::string& strategy) {
  return config("workers = 2\nworker_shutdown_timeout = 60s\n", echo_server(strategy));
}

void kill_master(Daemon& daemon) {
  daemon.signal_master(SIGKILL);
  ASSERT_TRUE(wait_until([&] { return daemon.master_pid() == 0; }));
  ASSERT_TRUE(daemon.wait_for_log("serving on"));
}

// The one that has begun to answer last.
pid_t answering_orphan(const Daemon& daemon) {
  EXPECT_TRUE(daemon.wait_for_log("answering the control socket in place of the master"));
  const std::string log = daemon.log();
  pid_t answering = 0;
  std::size_t last = 0;
  for (const pid_t pid : worker_pids(daemon)) {
    const std::size_t found = log.rfind("[" + std::to_string(pid) + "]: answering");
    if (found == std::string::npos || found < last) continue;
    last = found;
    answering = pid;
  }
  return answering;
}

class OrphansTest : public ::testing::TestWithParam<const char*> {};

TEST_P(OrphansTest, ServeOnAndDrainWhenANewMasterHasTakenOver) {
  Daemon daemon({.config = text(GetParam())});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");

  kill_master(daemon);
  EXPECT_EQ(client.exchange("two"), "two");
  for (int i = 0; i < 8; ++i) EXPECT_EQ(answer(daemon), "hello");
  daemon.start_again();

  EXPECT_EQ(client.exchange("three"), "three");
  EXPECT_EQ(answer(daemon), "hello");
  const DaemonStatus status = daemon.status();
  EXPECT_EQ(status.serving()->number, 2);
  EXPECT_EQ(status.totals.accepted, 10);
  client.close();
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }));
  EXPECT_EQ(daemon.workers_of(2).size(), 2U);
  EXPECT_TRUE(daemon.wait_for_log("predecessor gone: "));
  EXPECT_EQ(daemon.status().totals.accepted, 10);
}

INSTANTIATE_TEST_SUITE_P(All, OrphansTest, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(Orphans, SayAtTheControlSocketThatTheMasterIsGone) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);

  EXPECT_TRUE(wait_until([&] {
    const CommandResult status = daemon.run_command({"-s", "status"});
    return status.status == 1 && status.errors.find("the master is gone") != std::string::npos;
  }));
}

TEST(Orphans, LeaveWhenTheyAreTold) {
  Daemon daemon({.config = text("acceptor")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("one"), "one");
  kill_master(daemon);

  EXPECT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  EXPECT_TRUE(wait_until([&] { return daemon.workers().size() == 1; }));
  EXPECT_EQ(client.exchange("two"), "two");
  client.close();

  EXPECT_TRUE(daemon.wait_gone());
}

TEST(Orphans, LeaveWhenTheyAreToldThoughTheirAcceptorIsStopped) {
  Daemon daemon(
      {.config = config("workers = 2\nworker_shutdown_timeout = 60s\n", echo_server("acceptor"))});
  kill_master(daemon);
  const pid_t acceptor = daemon.acceptor_pid();
  stop(acceptor);

  EXPECT_EQ(daemon.run_command({"-s", "stop"}).status, 0);

  EXPECT_TRUE(wait_until([&] { return daemon.workers().empty(); }));
  kill_now(acceptor);
}

// A master that is gone reaps nobody, and what its workers leave half done is to be repaired.
TEST(Adoption, CountsForZonesThatOrphansMayHaveDiedBadly) {
  Daemon daemon({.config = counting(2)});
  LineClient client(daemon);
  ASSERT_EQ(client.ask("add"), "1");
  kill_master(daemon);
  daemon.start_again();
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.serving() != nullptr && now.serving()->number == 2;
  }));
  const std::int64_t before = daemon.status().zones.at(0).unclean_ends;

  for (const WorkerProcess& orphan : daemon.workers_of(1)) kill_now(orphan.pid);

  ASSERT_TRUE(daemon.wait_for_log("predecessor gone: "));
  EXPECT_GT(daemon.status().zones.at(0).unclean_ends, before);
}

TEST(Orphans, AnswerThroughAnotherWhenTheOneThatAnsweredIsStopped) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);
  const pid_t answering = answering_orphan(daemon);
  ASSERT_NE(answering, 0);
  kill(answering, SIGSTOP);

  daemon.start_again();

  EXPECT_EQ(daemon.status().serving()->number, 2);
  kill(answering, SIGCONT);
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }));
}

TEST(Orphans, OfAGenerationThatNeverServedDoNotStay) {
  Daemon daemon({.config = text("exclusive"),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "ready:timeout"}},
                 .wait_ready = false});
  ASSERT_TRUE(wait_until([&] { return daemon.workers().size() == 2; }));

  daemon.signal_master(SIGKILL);

  EXPECT_TRUE(daemon.wait_gone());
}

// The first is stopped before it tells the orphans that it serves.
TEST(Adoption, OfTwoThatRaceOneWinsAndTheOtherSaysWho) {
  const TempDir pauses;
  Daemon daemon({.config = text("exclusive"),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "@" + pauses.file("rules")}}});
  kill_master(daemon);
  write_file(pauses.file("rules"), "master.taking_over:1");
  daemon.start();
  const pid_t first = daemon.wait_for_paused();
  write_file(pauses.file("rules"), "");

  const CommandResult second = daemon.run_command({"-F"});
  resume(first);
  ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) { return now.pid == first; }));

  EXPECT_EQ(second.status, 1);
  EXPECT_NE(
      second.errors.find("pid " + std::to_string(daemon.master_pid()) + " is taking over already"),
      std::string::npos)
      << second.both();
  const CommandResult third = daemon.run_command({"-F"});
  EXPECT_NE(third.errors.find("already running, pid " + std::to_string(daemon.master_pid())),
            std::string::npos)
      << third.both();
  EXPECT_EQ(answer(daemon), "hello");
}

// One that drains has no sockets to give, and does not answer in the others' place.
TEST(Adoption, IsNotAnsweredByAnOrphanThatDrains) {
  Daemon daemon({.config = text("exclusive")});
  Client held(Endpoint::v4(daemon.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  const pid_t owner = owner_pid_of(held.name(), daemon.port(), worker_pids(daemon));
  kill_master(daemon);
  kill(owner, SIGTERM);

  daemon.start_again();

  EXPECT_EQ(held.exchange("two"), "two");
  EXPECT_EQ(daemon.status().serving()->number, 2);
}

// What drains after -s quit is in nobody's way.
TEST(Adoption, OfNobodyIsAStartBesideOrphansThatDrain) {
  Daemon daemon({.config = text("exclusive")});
  Client held(Endpoint::v4(daemon.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  kill_master(daemon);
  ASSERT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  ASSERT_TRUE(wait_until([&] { return daemon.workers().size() == 1; }));

  daemon.start_again();

  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(held.exchange("two"), "two");
}

// --- a master that drains still, and whose successor is dead ---

class AdoptionAfterAnUpgrade : public ::testing::TestWithParam<bool> {
 protected:
  AdoptionAfterAnUpgrade()
      : daemon_({.config = config("workers = 2\nworker_shutdown_timeout = 60s\n"
                                  "error_log = {dir}/stderr.log\n",
                                  echo_server("exclusive")),
                 .daemonize = GetParam()}),
        first_(daemon_.master_pid()) {}
  void upgrade() {
    ASSERT_EQ(daemon_.run_command({"-s", "upgrade"}).status, 0);
    ASSERT_TRUE(wait_until([this] {
      second_ = daemon_.master_pid();
      return second_ != 0 && second_ != first_;
    }));
  }
  [[nodiscard]] bool has_gone(pid_t master) const {
    return daemon_.wait_for_log("predecessor gone: pid=" + std::to_string(master));
  }

  Daemon daemon_;
  pid_t first_;
  pid_t second_ = 0;
};

TEST_P(AdoptionAfterAnUpgrade, LeadsWhoDrainsOfTheMasterBefore) {
  Client held(Endpoint::v4(daemon_.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  upgrade();
  kill_master(daemon_);

  daemon_.start_again();

  EXPECT_EQ(held.exchange("two"), "two");
  ASSERT_TRUE(has_gone(second_));
  EXPECT_EQ(daemon_.status().totals.accepted, 1);
  const CommandResult status = daemon_.run_command({"-s", "status"});
  const std::string first = "predecessor pid " + std::to_string(first_);
  EXPECT_NE(status.output.find(first + ": 1 processes drain 1 connections"), std::string::npos)
      << status.both();
  EXPECT_EQ(daemon_.run_command({"-s", "stop"}).status, 0);
  EXPECT_LE(daemon_.processes().size(), 1U) << "nobody is left but the master who has answered";
  EXPECT_FALSE(daemon_.log_contains("orphan overdue")) << "they leave when they are told";
}

TEST_P(AdoptionAfterAnUpgrade, CountsOnceWhoHasGoneBefore) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(answer(daemon_), "hello");
  upgrade();
  ASSERT_TRUE(has_gone(first_));
  for (int i = 0; i < 2; ++i) ASSERT_EQ(answer(daemon_), "hello");
  kill_master(daemon_);

  daemon_.start_again();

  EXPECT_EQ(daemon_.status().totals.accepted, 5);
}

TEST_P(AdoptionAfterAnUpgrade, OfNobodyEndsWithAStopForWhoDrainsToo) {
  Client held(Endpoint::v4(daemon_.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  upgrade();
  kill_master(daemon_);

  EXPECT_EQ(daemon_.run_command({"-s", "stop"}).status, 0);

  EXPECT_TRUE(daemon_.wait_gone());
}

INSTANTIATE_TEST_SUITE_P(All, AdoptionAfterAnUpgrade, ::testing::Bool(),
                         [](const auto& row) { return row.param ? "Daemon" : "Foreground"; });

TEST(Adoption, TellsAlsoThoseWhoDrainedWhenTheirMasterDied) {
  Daemon daemon({.config = text("exclusive")});
  Client held(Endpoint::v4(daemon.port()));
  ASSERT_EQ(held.exchange("one"), "one");
  ASSERT_EQ(daemon.run_command({"-s", "reload"}).status, 0);
  kill_master(daemon);
  daemon.start_again();
  ASSERT_EQ(held.exchange("two"), "two");

  EXPECT_EQ(daemon.run_command({"-s", "stop"}).status, 0);

  EXPECT_LE(daemon.processes().size(), 1U) << "nobody is left but the master who has answered";
  EXPECT_FALSE(daemon.log_contains("orphan overdue"));
}

// --- descriptors ---

rlimit descriptor_limit_of(pid_t pid) {
  rlimit limit{};
  EXPECT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &limit), 0);
  return limit;
}

// What is started meanwhile has a lower limit than what runs already.
class LowerLimit {
 public:
  explicit LowerLimit(rlim_t soft) : before_(descriptor_limit_of(0)) {
    const rlimit lower{soft, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &lower);
  }
  LowerLimit(const LowerLimit&) = delete;
  LowerLimit& operator=(const LowerLimit&) = delete;
  ~LowerLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

std::string with_listeners(int count, const std::string& drover) {
  std::string servers = echo_server("exclusive");
  for (int i = 0; i < count; ++i) servers += "listen = unix:{dir}/" + std::to_string(i) + ".sock\n";
  return config("workers = 2\n" + drover, servers);
}

TEST(Adoption, OfMoreDescriptorsThanAProcessMayOpenMakesRoomForThem) {
  Daemon daemon({.config = with_listeners(300, "")});
  kill_master(daemon);

  {
    const LowerLimit lower(200);
    daemon.start_again();
  }

  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(Client(Endpoint::unix_path(daemon.file("299.sock"))).exchange("hello"), "hello");
  EXPECT_GE(descriptor_limit_of(daemon.master_pid()).rlim_cur, 600U);
  EXPECT_LT(descriptor_limit_of(daemon.master_pid()).rlim_cur, 700U);
}

TEST(Adoption, OfMoreDescriptorsThanAProcessMayOpenLeavesWhatIsConfigured) {
  Daemon daemon({.config = with_listeners(300, "rlimit_nofile = 1000\n")});
  kill_master(daemon);

  {
    const LowerLimit lower(200);
    daemon.start_again();
  }

  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(descriptor_limit_of(daemon.master_pid()).rlim_cur, 1000U);
}

// Its limit is that of the configuration; an upgrade begins with what was inherited.
TEST(Upgrade, OfMoreDescriptorsThanWasInheritedMakesRoomForThem) {
  std::optional<Daemon> daemon;
  {
    const LowerLimit lower(200);
    daemon.emplace(DaemonOptions{.config = with_listeners(300, "rlimit_nofile = 1000\n")});
  }

  const CommandResult upgrade = daemon->run_command({"-s", "upgrade"});

  EXPECT_EQ(upgrade.status, 0) << upgrade.both();
  EXPECT_EQ(answer(*daemon), "hello");
  EXPECT_EQ(descriptor_limit_of(daemon->master_pid()).rlim_cur, 1000U);
}

// The worker of that pid cannot open another descriptor.
void leave_no_descriptors(pid_t pid) {
  rlimit none = descriptor_limit_of(pid);
  none.rlim_cur = 0;
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &none, nullptr), 0);
}

TEST(Orphans, WithoutDescriptorsLeaveTheAnswerToAnother) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);
  const pid_t first = answering_orphan(daemon);
  leave_no_descriptors(first);

  EXPECT_TRUE(wait_until([&] {
    const CommandResult status = daemon.run_command({"-s", "status"});
    return status.errors.find("the master is gone") != std::string::npos;
  }));

  EXPECT_NE(answering_orphan(daemon), first);
  daemon.start_again();
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(Orphans, WithoutDescriptorsDoNotSpin) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);
  ASSERT_NE(answering_orphan(daemon), 0);
  const std::vector<pid_t> orphans = worker_pids(daemon);
  for (const pid_t pid : orphans) leave_no_descriptors(pid);
  const Client asker(Endpoint::unix_path(daemon.file("control.sock")));
  ASSERT_TRUE(daemon.wait_for_log("cannot answer the control socket: Too many open files"));

  std::int64_t used = 0;
  for (const pid_t pid : orphans) used -= cpu_ns(pid);
  std::this_thread::sleep_for(kWatch);
  for (const pid_t pid : orphans) used += cpu_ns(pid);

  EXPECT_LT(used, std::chrono::nanoseconds(kWatch).count() / 4) << "a spin takes it all";
}

}  // namespace
}  // namespace drover::test

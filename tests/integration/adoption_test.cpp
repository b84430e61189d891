// The master is killed: its workers serve on, and whoever starts next takes over from them.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

std::string text(const std::string& strategy) {
  return config("workers = 2\nworker_shutdown_timeout = 60s\n", echo_server(strategy));
}

void kill_master(Daemon& daemon) {
  daemon.signal_master(SIGKILL);
  ASSERT_TRUE(wait_until([&] { return daemon.master_pid() == 0; }));
  ASSERT_TRUE(daemon.wait_for_log("serving on"));
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

TEST(Orphans, AnswerThroughAnotherWhenTheOneThatAnsweredIsStopped) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);
  ASSERT_TRUE(daemon.wait_for_log("answering the control socket in place of the master"));
  pid_t answering = 0;
  for (const WorkerProcess& worker : daemon.workers()) {
    const std::string line = "worker " + std::to_string(worker.slot) + " gen 1[" +
                             std::to_string(worker.pid) + "]: answering";
    if (daemon.log_contains(line)) answering = worker.pid;
  }
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

TEST(Adoption, OfTwoThatRaceOneWinsAndTheOtherSaysWho) {
  Daemon daemon({.config = text("exclusive")});
  kill_master(daemon);
  Daemon* one = &daemon;
  const CommandResult first = one->run_command({"-t"});
  ASSERT_EQ(first.status, 0);

  daemon.start_again();
  const CommandResult second = daemon.run_command({"-F"});

  EXPECT_EQ(second.status, 1);
  EXPECT_NE(second.errors.find("already running, pid " + std::to_string(daemon.master_pid())),
            std::string::npos)
      << second.both();
}

}  // namespace
}  // namespace drover::test

// What a module counts, as status shows it: over workers, crashes, drains and reloads.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

std::string files_config(const std::string& workers, const std::string& more = "") {
  return config("workers = " + workers +
                    "\nworking_directory = {dir}\nload = " + built("test-modules/files.so") + "\n",
                "\n[server web]\nlisten = 127.0.0.1:{port}\nprotocol = files\n"
                "\n[server quiet]\nlisten = 127.0.0.1:{port2}\nprotocol = files\n" +
                    more);
}

class Metrics : public testing::Test {
 protected:
  Metrics() { write_file(daemon_.file("five"), "12345"); }

  // A client that has been sent five bytes and stays.
  Client& ask() {
    clients_.emplace_back(Endpoint::v4(daemon_.port()));
    ask(clients_.back());
    return clients_.back();
  }
  static void ask(Client& client) {
    client.send_all("five\n");
    EXPECT_EQ(client.receive(7), "5\n12345");
  }
  std::int64_t web(const std::string& name) { return daemon_.status().metric("web", name); }

  Daemon daemon_{{.config = files_config("2")}};
  std::vector<Client> clients_;
};

TEST_F(Metrics, AreTheSumsOverAllWorkersOfTheirServer) {
  for (int i = 0; i < 8; ++i) ask();
  clients_[0].send_all("missing\n");
  ASSERT_EQ(clients_[0].receive(6), "error:");

  EXPECT_EQ(web("sent_bytes"), 40);
  EXPECT_EQ(web("refused"), 1);
  EXPECT_EQ(web("clients"), 8);
  EXPECT_EQ(daemon_.status().metric("quiet", "sent_bytes"), 0);

  const std::string table = daemon_.run_command({"-s", "status"}).output;
  EXPECT_NE(table.find("server web: sent_bytes 40 (bytes of files that were asked for)\n"),
            std::string::npos)
      << table;
}

TEST_F(Metrics, OfAWorkerThatWasKilledKeepTheCountersAndLoseTheGauges) {
  for (int i = 0; i < 8; ++i) ask();
  const pid_t victim = owner_pid_of(clients_[0].name(), daemon_.port(), worker_pids(daemon_));
  const auto lost = static_cast<std::int64_t>(clients_of(victim, daemon_.port()).size());
  ASSERT_GT(lost, 0);

  kill_now(victim);

  ASSERT_TRUE(daemon_.wait_for_status(
      [&](const DaemonStatus& now) { return now.metric("web", "clients") == 8 - lost; }));
  EXPECT_EQ(web("sent_bytes"), 40);
  ask();
  EXPECT_EQ(web("sent_bytes"), 45);
}

TEST_F(Metrics, NeverGoBackwardWhileWorkersDie) {
  std::int64_t highest = 0;
  for (int death = 0; death < 4; ++death) {
    ask();
    clients_.clear();
    ASSERT_TRUE(wait_until([&] { return daemon_.worker_pid(death % 2) != 0; }));
    kill_now(daemon_.worker_pid(death % 2));
    for (int look = 0; look < 10; ++look) {
      const std::int64_t now = web("sent_bytes");
      EXPECT_GE(now, highest);
      highest = now;
    }
  }
  EXPECT_EQ(highest, 20);
}

TEST_F(Metrics, OfAWorkerThatDrainsBesideItsSuccessorAreCountedWithIt) {
  Client& stays = ask();
  const pid_t former = owner_pid_of(stays.name(), daemon_.port(), worker_pids(daemon_));
  ::kill(former, SIGTERM);
  ASSERT_TRUE(wait_until([&] { return daemon_.workers().size() == 3; }));
  for (int i = 0; i < 4; ++i) ask();
  ask(clients_[0]);

  EXPECT_EQ(web("clients"), 5);
  EXPECT_EQ(web("sent_bytes"), 30);
}

TEST_F(Metrics, GoOnOverAReload) {
  for (int i = 0; i < 3; ++i) ask();
  ASSERT_EQ(daemon_.reload(files_config("1")).status, 0);

  EXPECT_EQ(web("sent_bytes"), 15);
  EXPECT_EQ(web("clients"), 3) << "those of the generation that drains";
  clients_.clear();
  EXPECT_TRUE(daemon_.wait_for_status([](const DaemonStatus& now) {
    return now.generations.size() == 1 && now.metric("web", "clients") == 0;
  }));
  ask();
  EXPECT_EQ(web("sent_bytes"), 20);
}

// What workers count while nobody leads them, too.
TEST_F(Metrics, GoOnOverTheMastersDeath) {
  for (int i = 0; i < 4; ++i) ask();
  kill_now(daemon_.worker_pid(0));
  ASSERT_TRUE(wait_until([&] { return daemon_.worker_pid(0) != 0; }));
  ask();
  daemon_.signal_master(SIGKILL);
  ASSERT_TRUE(daemon_.wait_for_log("answering the control socket in place of the master"));
  Client& stays = ask();

  daemon_.start_again();

  EXPECT_EQ(web("sent_bytes"), 30);
  ask(stays);
  EXPECT_EQ(web("sent_bytes"), 35) << "who drains counts on";
  clients_.clear();
  ASSERT_TRUE(daemon_.wait_for_log("predecessor gone: "));
  EXPECT_EQ(web("sent_bytes"), 35);
  ask();
  EXPECT_EQ(web("sent_bytes"), 40);
}

TEST_F(Metrics, GoOnOverAnUpgrade) {
  Client& stays = ask();
  ASSERT_EQ(daemon_.run_command({"-s", "upgrade"}).status, 0);
  EXPECT_EQ(web("sent_bytes"), 5);
  ask(stays);
  EXPECT_EQ(web("sent_bytes"), 10) << "who drains counts on";
  clients_.clear();
  ASSERT_TRUE(daemon_.wait_for_log("predecessor gone: "));
  ask();
  EXPECT_EQ(web("sent_bytes"), 15);
}

TEST_F(Metrics, OfAServerThatAReloadAddsBeginAtZero) {
  ask();
  ASSERT_EQ(daemon_
                .reload(files_config(
                    "2", "\n[server new]\nlisten = 127.0.0.1:{port3}\nprotocol = files\n"))
                .status,
            0);

  EXPECT_EQ(daemon_.status().metric("new", "sent_bytes"), 0);
  EXPECT_EQ(web("sent_bytes"), 5);
}

}  // namespace
}  // namespace drover::test

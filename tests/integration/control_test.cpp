// Operating a running daemon: -s, signals, and what a second daemon, a broken file or another user
// cannot do to it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/identity.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

const std::string kEcho =
    config("workers = 2\nworker_shutdown_timeout = 20s", echo_server("exclusive"));

std::string answer(Daemon& daemon) { return Client(Endpoint::v4(daemon.port())).exchange("hello"); }

TEST(Control, StopWorksWhileTheConfigOnDiskIsBroken) {
  Daemon daemon({.config = kEcho});
  daemon.rewrite_config(kEcho + "\n[server broken\nthis is nothing\n" + std::string(300, 'x'));

  const CommandResult stop = daemon.run_command({"-s", "stop"});

  EXPECT_EQ(stop.status, 0) << stop.both();
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_TRUE(wait_until([&] { return daemon.program_status() == 0; }));
}

TEST(Control, ReloadReturnsWhenTheNewGenerationServes) {
  Daemon daemon({.config = kEcho});

  const CommandResult reload = daemon.reload(config("workers = 3", echo_server("exclusive")));

  EXPECT_EQ(reload.status, 0) << reload.both();
  const DaemonStatus now = daemon.status();
  ASSERT_NE(now.serving(), nullptr);
  EXPECT_EQ(now.serving()->number, 2U);
  EXPECT_EQ(now.serving()->workers.size(), 3U);
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_TRUE(wait_until([&] { return daemon.workers_of(1).empty(); }));
}

TEST(Control, StatusCountsConnectionsAndNamesServers) {
  Daemon daemon({.config = kEcho});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");

  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) { return now.live() == 1; }));
  const DaemonStatus now = daemon.status();
  ASSERT_EQ(now.servers.size(), 1U);
  EXPECT_EQ(now.servers[0].name, "echo");
  EXPECT_EQ(now.servers[0].accept, "exclusive");
  EXPECT_EQ(now.servers[0].listen,
            std::vector<std::string>{"127.0.0.1:" + std::to_string(daemon.port())});
  EXPECT_EQ(now.totals.accepted, 1);
  EXPECT_EQ(now.totals.bytes_in, 3);
  EXPECT_EQ(now.pid, daemon.master_pid());
  const CommandResult for_people = daemon.run_command({"-s", "status"});
  EXPECT_EQ(for_people.status, 0);
  EXPECT_NE(for_people.output.find("generation 1 serving"), std::string::npos) << for_people.output;
}

TEST(Control, QuitLetsConnectionsEnd) {
  Daemon daemon({.config = kEcho});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");

  daemon.signal_master(SIGQUIT);

  EXPECT_TRUE(wait_until([&] { return !Client::try_connect(Endpoint::v4(daemon.port())); }));
  EXPECT_EQ(client.exchange("still served"), "still served");
  client.close();
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_TRUE(wait_until([&] { return daemon.program_status() == 0; }));
}

TEST(Control, TermStopsFastWithOpenConnections) {
  Daemon daemon({.config = kEcho});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("abc"), "abc");

  EXPECT_EQ(daemon.stop(SIGTERM, Millis{5000}), 0);
}

TEST(Control, HupReloads) {
  Daemon daemon({.config = kEcho});

  daemon.signal_master(SIGHUP);

  EXPECT_TRUE(
      wait_until([&] { return daemon.workers_of(2).size() == 2 && daemon.workers_of(1).empty(); }));
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(Control, ReopenWritesToANewFileWhenItReturns) {
  Daemon daemon({.config = config("workers = 2\nerror_log = {dir}/error.log info",
                                  echo_server("exclusive"))});
  const std::string log = daemon.file("error.log");
  ASSERT_TRUE(wait_until([&] { return !read_file(log).empty(); }));
  std::filesystem::rename(log, log + ".1");

  const CommandResult reopen = daemon.run_command({"-s", "reopen"});

  EXPECT_EQ(reopen.status, 0) << reopen.both();
  EXPECT_TRUE(std::filesystem::exists(log));
  for (const pid_t pid : daemon.processes()) {
    for (const std::string& target : fd_links(pid)) EXPECT_NE(target, log + ".1") << title_of(pid);
  }
}

TEST(Control, WithoutASocketTheSignalGoesToThePidFile) {
  Daemon daemon(
      {.config = "[drover]\npid = {dir}/drover.pid\nload = echo\n" + echo_server("exclusive"),
       .wait_ready = false});
  ASSERT_TRUE(
      wait_until([&] { return Client::try_connect(Endpoint::v4(daemon.port())).has_value(); }));

  const CommandResult stop = daemon.run_command({"-s", "stop"});

  EXPECT_EQ(stop.status, 0) << stop.both();
  EXPECT_TRUE(daemon.wait_gone());
}

TEST(Control, NobodyThereIsSaid) {
  Daemon daemon({.config = kEcho});
  ASSERT_EQ(daemon.stop(SIGTERM), 0);

  const CommandResult stop = daemon.run_command({"-s", "stop"});

  EXPECT_EQ(stop.status, 1);
  EXPECT_NE(stop.errors.find("control.sock"), std::string::npos) << stop.both();
}

TEST(Control, AnotherUsersStopIsRefused) {
  ASSERT_EQ(::geteuid(), 0U) << "only root can act as another user: run this test as root";
  Daemon daemon({.config = kEcho});

  const CommandResult stop = daemon.run_command({"-s", "stop"}, as_unprivileged());

  EXPECT_EQ(stop.status, 1);
  EXPECT_FALSE(stop.errors.empty());
  EXPECT_EQ(answer(daemon), "hello");
}

// The socket's own mode is one guard; the peer's identity is the other.
TEST(Control, AnotherUserIsRefusedEvenByAnOpenSocket) {
  ASSERT_EQ(::geteuid(), 0U) << "only root can act as another user: run this test as root";
  Daemon daemon({.config = kEcho});
  std::filesystem::permissions(daemon.file("control.sock"), std::filesystem::perms::all);

  const CommandResult stop = daemon.run_command({"-s", "stop"}, as_unprivileged());

  EXPECT_EQ(stop.status, 1);
  EXPECT_NE(stop.both().find("refused"), std::string::npos) << stop.both();
  EXPECT_EQ(answer(daemon), "hello");
}

struct InTheWay {
  const char* name;
  std::string config;  // of the second daemon; {first} is the folder of the first, {taken} its port
  std::string message;
};

void PrintTo(const InTheWay& row, std::ostream* out) { *out << row.name; }

class SecondStartTest : public ::testing::TestWithParam<InTheWay> {};

TEST_P(SecondStartTest, SaysWhatIsInTheWay) {
  Daemon first({.config = kEcho});
  std::string text = replace_all(GetParam().config, "{first}", first.dir());
  text = replace_all(text, "{taken}", std::to_string(first.port()));

  Daemon second({.config = text, .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return second.program_status().has_value(); })) << second.log();
  EXPECT_EQ(second.program_status(), 1);
  std::string message =
      replace_all(GetParam().message, "{pid}", std::to_string(first.master_pid()));
  message = replace_all(message, "{taken}", std::to_string(first.port()));
  EXPECT_TRUE(second.log_contains(message)) << second.log();
  EXPECT_EQ(answer(first), "hello");
  EXPECT_EQ(first.status().serving()->number, 1U);
}

INSTANTIATE_TEST_SUITE_P(
    All, SecondStartTest,
    ::testing::Values(
        InTheWay{"pid_file",
                 "[drover]\npid = {first}/drover.pid\nload = echo\n" + echo_server("exclusive"),
                 "{pid}"},
        InTheWay{
            "control_socket",
            "[drover]\ncontrol = {first}/control.sock\nload = echo\n" + echo_server("exclusive"),
            "{pid}"},
        InTheWay{"port", config("", echo_server("exclusive", "127.0.0.1:{taken}")),
                 "127.0.0.1:{taken}"},
        InTheWay{"port_with_reuseport", config("", echo_server("reuseport", "127.0.0.1:{taken}")),
                 "in use"}),
    [](const auto& row) { return row.param.name; });

TEST(SecondStart, DoesNotJoinTheReuseportGroupOfTheFirst) {
  const std::string text = config("workers = 2", echo_server("reuseport"));
  Daemon first({.config = text});

  Daemon second(
      {.config = replace_all(text, "{port}", std::to_string(first.port())), .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return second.program_status().has_value(); })) << second.log();
  EXPECT_EQ(second.program_status(), 1);
  EXPECT_TRUE(second.log_contains("in use")) << second.log();
}

}  // namespace
}  // namespace drover::test

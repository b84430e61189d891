// What takes another's place must not do harm: a refill that hangs, sockets held by a process that
// never reads them, a terminal held by a daemon's children.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/integration/strategies.h"
#include "tests/support/files.h"

namespace drover::test {
namespace {

// Rows of /proc/net/tcp in state LISTEN (0A) with this local port.
int listening_sockets(std::uint16_t port) {
  std::ifstream rows("/proc/net/tcp");
  std::string heading;
  std::getline(rows, heading);
  char wanted[8];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  int count = 0;
  for (std::string number, local, remote, state, line;
       rows >> number >> local >> remote >> state && std::getline(rows, line);) {
    if (state == "0A" && local.ends_with(wanted)) ++count;
  }
  return count;
}

TEST(Refill, OneThatIsNotReadyInTimeIsKilledAndTriedAgain) {
  TempDir faults;
  write_file(faults.file("rules"), "");
  Daemon daemon({.config = config("workers = 2\nready_timeout = 1s", echo_server("exclusive")),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "@" + faults.file("rules")}}});
  write_file(faults.file("rules"), "ready:timeout");

  kill_now(daemon.worker_pid(0));

  EXPECT_TRUE(daemon.wait_for_log("worker 0 gen 1 not ready: "));
  write_file(faults.file("rules"), "");
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    const auto& workers = now.generations.at(0).workers;
    return workers.at(0).state == "ready" && workers.at(0).restarts >= 2;
  }));
  EXPECT_EQ(answer(daemon), "hello");
}

// The acceptor of one server has no part in the reuseport group of another: a surplus socket that
// it kept open would go on getting connections that nobody accepts.
TEST(Refill, AnAcceptorKeepsNoSocketOfAnotherServerOpen) {
  const std::string servers =
      echo_server("acceptor") + "\n" + echo_server("reuseport", "127.0.0.1:{port2}", "other");
  const std::string drover = "steer_linger = 300ms\nworker_shutdown_timeout = 2s\nworkers = ";
  Daemon daemon({.config = config(drover + "4", servers)});
  ASSERT_EQ(daemon.reload(config(drover + "2", servers)).status, 0);
  ASSERT_TRUE(wait_until([&] { return listening_sockets(daemon.port(2)) == 2; }));

  for (int i = 0; i < 50; ++i) EXPECT_EQ(answer(daemon, 2), "hello");
  EXPECT_EQ(answer(daemon, 1), "hello");
}

TEST(Refill, ADaemonsChildrenLetGoOfTheTerminal) {
  Daemon daemon({.config = config("workers = 1", echo_server("exclusive")), .daemonize = true});

  for (const pid_t pid : daemon.processes()) {
    for (const char* fd : {"0", "1", "2"}) {
      const std::string link = "/proc/" + std::to_string(pid) + "/fd/" + fd;
      EXPECT_EQ(std::filesystem::read_symlink(link), "/dev/null") << title_of(pid);
    }
  }
}

}  // namespace
}  // namespace drover::test

// The clients that there are: programs made of the Go libraries hashicorp/yamux and xtaci/smux
// (tests/interop/), each of whose cases checks every byte of every stream and every frame. The
// server is echo, which knows nothing of streams.
#include <gtest/gtest.h>

#include "tests/support/daemon.h"

namespace drover::test {
namespace {

struct Row {
  std::string library;
  std::string name;  // of the case, and of the row
  std::vector<std::string> arguments = {};
  std::string directives = {};  // of the server with the module
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.library << ' ' << row.name; }

std::string echo_over_streams(const std::string& directives) {
  return config("workers = 1\nworker_shutdown_timeout = 20s\nload = " + built("modules/mux.so"),
                "\n[server inner]\nprotocol = echo\n"
                "\n[server streams]\nlisten = 127.0.0.1:{port}\nprotocol = mux\n"
                "mux.serve = inner\n" +
                    directives);
}

class GoClientTest : public testing::TestWithParam<Row> {
 protected:
  // The case's own deadline is shorter: a client that hangs shows where.
  static CommandResult run(Daemon& daemon, std::vector<std::string> arguments) {
    std::vector<std::string> command{built("mux_go_client"),
                                     "-addr",
                                     "127.0.0.1:" + std::to_string(daemon.port()),
                                     "-lib",
                                     GetParam().library,
                                     "-case",
                                     GetParam().name,
                                     "-timeout",
                                     "40s"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run_command(command, {}, Millis{50'000});
  }
  static void expect_success(const CommandResult& result) {
    EXPECT_EQ(result.status, 0) << result.both().substr(0, 8000);
    std::cout << result.output;
  }
  static std::string reload_command(const Daemon& daemon) {
    return built("drover") + " -c " + daemon.config_path() + " -p " + daemon.dir() + " -s reload";
  }
  static bool nothing_is_left(Daemon& daemon) {
    return daemon.wait_for_status([](const DaemonStatus& now) {
      return now.generations.size() == 1 && now.live() == 0 && streams(now) == 0;
    });
  }
  static std::int64_t streams(const DaemonStatus& now) {
    return now.generations.front().workers.front().streams;
  }
};

TEST_P(GoClientTest, GetsWhatItSent) {
  Daemon daemon({.config = echo_over_streams(GetParam().directives)});
  const pid_t worker = daemon.worker_pid(0);

  expect_success(run(daemon, GetParam().arguments));

  EXPECT_TRUE(nothing_is_left(daemon));
  EXPECT_EQ(daemon.worker_pid(0), worker);
}

const std::string kOftenAlive = "mux.keepalive = 200ms\n";

INSTANTIATE_TEST_SUITE_P(
    All, GoClientTest,
    testing::Values(
        Row{"yamux", "many", {"-n", "3000"}}, Row{"smux1", "many", {"-n", "3000"}},
        Row{"smux2", "many", {"-n", "3000"}},
        // Larger than all that a session may keep.
        Row{"yamux", "large", {"-size", "25165824"}}, Row{"smux1", "large", {"-size", "25165824"}},
        Row{"smux2", "large", {"-size", "25165824"}}, Row{"yamux", "early", {"-size", "60000"}},
        Row{"smux1", "early", {"-size", "60000"}}, Row{"smux2", "early", {"-size", "60000"}},
        Row{"yamux", "late"}, Row{"smux1", "late"}, Row{"smux2", "late"},
        Row{"yamux", "abandoned", {"-n", "400", "-size", "60000"}},
        Row{"smux1", "abandoned", {"-n", "400", "-size", "60000"}},
        Row{"smux2", "abandoned", {"-n", "400", "-size", "60000"}},
        Row{"yamux", "reset", {"-n", "20", "-concurrent", "10"}},
        Row{"yamux", "slow", {"-size", "4000000"}},
        // What this library takes for all streams together: a slow one stops them all beyond it.
        Row{"smux1", "slow", {"-size", "2000000"}}, Row{"smux2", "slow", {"-size", "4000000"}},
        Row{"yamux", "ping", {"-n", "200", "-size", "8000000"}},
        Row{"yamux", "silence", {"-keepalive", "300ms"}, kOftenAlive},
        Row{"smux1", "silence", {"-keepalive", "300ms"}, kOftenAlive},
        Row{"smux2", "silence", {"-keepalive", "300ms"}, kOftenAlive},
        Row{"yamux", "dribble", {"-n", "30", "-size", "300", "-concurrent", "10"}},
        Row{"smux1", "dribble", {"-n", "30", "-size", "300", "-concurrent", "10"}},
        Row{"smux2", "dribble", {"-n", "30", "-size", "300", "-concurrent", "10"}}),
    [](const auto& row) { return row.param.library + "_" + row.param.name; });

class DrainedGoClientTest : public GoClientTest {};

TEST_P(DrainedGoClientTest, FinishesWhatItHasBegun) {
  Daemon daemon({.config = echo_over_streams("")});

  expect_success(run(daemon, {"-n", "50", "-size", "100000", "-at-ready", reload_command(daemon)}));

  EXPECT_TRUE(nothing_is_left(daemon));
}
INSTANTIATE_TEST_SUITE_P(All, DrainedGoClientTest,
                         testing::Values(Row{"yamux", "drain"}, Row{"smux1", "drain"},
                                         Row{"smux2", "drain"}),
                         [](const auto& row) { return row.param.library; });

class ReloadedGoClientTest : public GoClientTest {};

TEST_P(ReloadedGoClientTest, LosesNoStreamThatWasTaken) {
  Daemon daemon({.config = echo_over_streams("")});
  const std::string reload = reload_command(daemon);

  expect_success(run(daemon, {"-n", "500", "-concurrent", "8", "-at-ready",
                              reload + " && " + reload + " && " + reload}));

  EXPECT_TRUE(nothing_is_left(daemon));
}
INSTANTIATE_TEST_SUITE_P(All, ReloadedGoClientTest,
                         testing::Values(Row{"yamux", "reload"}, Row{"smux1", "reload"},
                                         Row{"smux2", "reload"}),
                         [](const auto& row) { return row.param.library; });

class KilledGoClientTest : public GoClientTest {};

TEST_P(KilledGoClientTest, GoesOnWithAnotherWorker) {
  Daemon daemon({.config = echo_over_streams("")});
  const pid_t worker = daemon.worker_pid(0);
  const std::string kill = "kill -9 " + std::to_string(worker);

  expect_success(run(daemon, {"-n", "300", "-concurrent", "8", "-may-lose", "-at-ready", kill}));

  EXPECT_TRUE(nothing_is_left(daemon));
  EXPECT_NE(daemon.worker_pid(0), worker);
}
INSTANTIATE_TEST_SUITE_P(All, KilledGoClientTest,
                         testing::Values(Row{"yamux", "reload"}, Row{"smux1", "reload"},
                                         Row{"smux2", "reload"}),
                         [](const auto& row) { return row.param.library; });

}  // namespace
}  // namespace drover::test

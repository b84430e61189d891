// The command line: what each flag prints, the exit statuses, and daemon mode.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <sstream>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

const std::string kEcho = config("workers = 2", echo_server("exclusive"));

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

struct CommandLine {
  const char* name;
  std::vector<std::string> arguments;
  int status;
  std::string says;  // part of stdout and stderr
};

void PrintTo(const CommandLine& row, std::ostream* out) { *out << row.name; }

class CommandLineTest : public ::testing::TestWithParam<CommandLine> {};

TEST_P(CommandLineTest, ExitsAndSays) {
  std::vector<std::string> argv = GetParam().arguments;
  argv.insert(argv.begin(), built("drover"));

  const CommandResult result = run_command(argv);

  EXPECT_EQ(result.status, GetParam().status) << result.both();
  EXPECT_TRUE(contains(result.both(), GetParam().says)) << result.both();
}

INSTANTIATE_TEST_SUITE_P(
    All, CommandLineTest,
    ::testing::Values(
        CommandLine{"version", {"-v"}, 0, "drover 0."}, CommandLine{"build", {"-V"}, 0, "libevent"},
        CommandLine{"help", {"-h"}, 0, "usage: drover"},
        CommandLine{"directives", {"--directives"}, 0, "worker_shutdown_timeout"},
        CommandLine{"unknown_flag", {"-Z"}, 2, "drover -h"},
        CommandLine{"unknown_argument", {"now"}, 2, "now"},
        CommandLine{"unknown_command", {"-s", "explode"}, 2, "reload"},
        CommandLine{"bad_override", {"-t", "-g", "workers"}, 2, "-g"},
        CommandLine{"no_config", {"-c", "/nonexistent/drover.conf", "-t"}, 1, "No such file"}),
    [](const auto& row) { return row.param.name; });

// The files of a configuration that nobody runs.
class ConfigOnDisk : public ::testing::Test {
 protected:
  CommandResult drover(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {built("drover"), "-c", dir_.file("drover.conf"), "-p", dir_.path()});
    return run_command(arguments);
  }
  void SetUp() override {
    std::string text = replace_all(kEcho, "{dir}", dir_.path().string());
    write_file(dir_.file("drover.conf"), replace_all(text, "{port}", std::to_string(free_port())));
  }
  TempDir dir_;
};

TEST_F(ConfigOnDisk, TestSaysThatItIsGood) {
  const CommandResult result = drover({"-t"});

  EXPECT_EQ(result.status, 0) << result.both();
  EXPECT_TRUE(contains(result.both(), "drover.conf")) << result.both();
}

TEST_F(ConfigOnDisk, QuietTestSaysNothing) {
  const CommandResult result = drover({"-t", "-q"});

  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.both(), "");
}

TEST_F(ConfigOnDisk, TestLeavesNothingBehind) {
  ASSERT_EQ(drover({"-t"}).status, 0);

  EXPECT_FALSE(std::filesystem::exists(dir_.file("drover.pid")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("control.sock")));
}

TEST_F(ConfigOnDisk, DumpIsAConfigurationThatSaysTheSame) {
  const CommandResult first = drover({"-T", "-q"});
  ASSERT_EQ(first.status, 0) << first.both();
  EXPECT_TRUE(contains(first.output, "workers = 2")) << first.output;
  write_file(dir_.file("drover.conf"), first.output);

  const CommandResult second = drover({"-T", "-q"});

  EXPECT_EQ(second.status, 0) << second.both();
  EXPECT_EQ(second.output, first.output);
}

TEST_F(ConfigOnDisk, OverridesWinOverTheFile) {
  EXPECT_TRUE(contains(drover({"-T", "-q", "-g", "drover.workers=3"}).output, "workers = 3"));
  EXPECT_TRUE(contains(drover({"-T", "-q", "-g", "echo.accept=mutex"}).output, "accept = mutex"));
  EXPECT_EQ(drover({"-t", "-g", "drover.workers=many"}).status, 1);
}

TEST_F(ConfigOnDisk, ModulesAreListedWithTheirBuildId) {
  const CommandResult result = drover({"-m"});

  EXPECT_EQ(result.status, 0) << result.both();
  EXPECT_TRUE(contains(result.output, "echo")) << result.output;
}

TEST(Foreground, TitlesNameRoleSlotAndGeneration) {
  Daemon daemon({.config = kEcho});

  const std::vector<WorkerProcess> workers = daemon.workers();
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers[0].slot, 0);
  EXPECT_EQ(workers[1].slot, 1);
  EXPECT_EQ(workers[1].generation, 1);
  EXPECT_NE(daemon.master_pid(), 0);
}

TEST(Foreground, IgnoresWinch) {
  Daemon daemon({.config = kEcho});
  const std::vector<WorkerProcess> before = daemon.workers();

  daemon.signal_master(SIGWINCH);
  ASSERT_EQ(daemon.run_command({"-s", "reopen"}).status,
            0);  // the master has been through its loop

  EXPECT_EQ(daemon.worker_pid(0), before[0].pid);
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("x"), "x");
}

TEST(DaemonMode, ReturnsWhenItServesAndRemovesItsFilesAtStop) {
  Daemon daemon(
      {.config = config("workers = 2\nerror_log = {dir}/error.log", echo_server("exclusive")),
       .daemonize = true,
       .wait_ready = false});
  ASSERT_TRUE(wait_until([&] { return daemon.program_status().has_value(); })) << daemon.log();

  EXPECT_EQ(daemon.program_status(), 0) << daemon.log();
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("now"), "now");
  EXPECT_EQ(read_file(daemon.file("drover.pid")), std::to_string(daemon.master_pid()) + "\n");
  EXPECT_EQ(daemon.run_command({"-s", "stop"}).status, 0);
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_FALSE(std::filesystem::exists(daemon.file("drover.pid")));
  EXPECT_FALSE(std::filesystem::exists(daemon.file("control.sock")));
}

TEST(DaemonMode, ExitsWithOneAndTheReasonWhenItCannotServe) {
  Daemon first({.config = kEcho});
  const std::string taken = "127.0.0.1:" + std::to_string(first.port());

  Daemon second({.config = config("error_log = {dir}/error.log", echo_server("exclusive", taken)),
                 .daemonize = true,
                 .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return second.program_status().has_value(); }));
  EXPECT_EQ(second.program_status(), 1);
  EXPECT_TRUE(second.log_contains(taken)) << second.log();
  EXPECT_TRUE(second.wait_gone());
  EXPECT_FALSE(std::filesystem::exists(second.file("drover.pid")));
}

TEST(DaemonMode, WinchDrainsTheWorkers) {
  Daemon daemon(
      {.config = config("workers = 2\nerror_log = {dir}/error.log", echo_server("exclusive")),
       .daemonize = true});

  daemon.signal_master(SIGWINCH);

  EXPECT_TRUE(wait_until([&] { return daemon.workers().empty(); }));
  EXPECT_NE(daemon.master_pid(), 0);
}

}  // namespace
}  // namespace drover::test

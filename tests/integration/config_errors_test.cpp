// A configuration that is no good: -t and a start say what is wrong and exit with 1, and a running
// daemon that is asked to reload it goes on as if nothing had been.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <ostream>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/identity.h"
#include "tests/support/payload.h"

namespace drover::test {
namespace {

struct BadConfig {
  const char* name;
  std::string message;  // part of what is said
  std::function<void(Daemon&)> spoil;
};

void PrintTo(const BadConfig& row, std::ostream* out) { *out << row.name; }

const std::string kGood =
    config("workers = 2\nworker_shutdown_timeout = 5s", echo_server("exclusive"));

std::function<void(Daemon&)> text(const std::string& config_text) {
  return [config_text](Daemon& daemon) { daemon.rewrite_config(config_text); };
}

std::string huge() {
  std::string content = kGood;
  while (content.size() < (2U << 20)) content += "; a comment to no end\n";
  return content;
}

std::vector<BadConfig> bad_configs() {
  return {
      {"garbage", "is neither a section nor a directive", text("what is this\nand that\n")},
      {"binary", "NUL byte", text(Payload(1).bytes(0, 4096) + std::string(1, '\0') + "\n")},
      {"huge", "larger than 1 MiB", text(huge())},
      {"empty", "the file is empty", text("")},
      {"missing", "No such file", [](Daemon& d) { ::unlink(d.config_path().c_str()); }},
      {"directory", "is a directory",
       [](Daemon& d) {
         ::unlink(d.config_path().c_str());
         ::mkdir(d.config_path().c_str(), 0755);
       }},
      {"recursive_include", "includes itself",
       text("[drover]\ninclude = {dir}/drover.conf\n" + kGood)},
      {"missing_include", "No such file", text("[drover]\ninclude = {dir}/nowhere.conf\n" + kGood)},
      {"unknown_directive", "did you mean workers",
       text(config("worker = 2", echo_server("exclusive")))},
      {"out_of_range", "workers", text(config("workers = 100000", echo_server("exclusive")))},
      {"unknown_strategy", "accept", text(config("", echo_server("lottery")))},
      {"duplicate_section", "echo", text(kGood + echo_server("exclusive", "127.0.0.1:{port2}"))},
      {"duplicate_scalar", "workers",
       text(config("workers = 1\nworkers = 2", echo_server("exclusive")))},
      {"long_line", "too long",
       text(kGood + "; fine\n[server b]\nlisten = " + std::string(250, '1') + "\n")},
      {"long_section", "too long", text(kGood + "[server " + std::string(60, 'n') + "]\n")},
      {"open_section", "not closed", text(kGood + "[server b\n")},
      {"missing_module", "nomodule", text(config("load = nomodule", echo_server("exclusive")))},
      {"module_cut_off",
       "the validator was killed by signal 7 (SIGBUS) while loading module cut (/",
       [](Daemon& d) {
         write_file(d.file("cut.so"), read_file(built("modules/echo.so")).substr(0, 4096));
         d.rewrite_config(config("load = {dir}/cut.so", echo_server("exclusive")));
       }},
      {"module_that_hangs", "did not finish within ready_timeout while loading module hanging (/",
       text(config("ready_timeout = 500ms\nload = " + built("test-modules/hanging.so"),
                   echo_server("exclusive")))},
  };
}

class BadConfigTest : public ::testing::TestWithParam<BadConfig> {
 protected:
  // `drover -s COMMAND` with a file that still says where the control socket is.
  CommandResult ask(const std::string& command) {
    return run_command({built("drover"), "-c", good_copy_, "-p", daemon_.dir(), "-s", command});
  }
  // Another daemon with the same file, but for what only one may have.
  CommandResult start_beside() {
    return daemon_.run_command({"-F", "-g", "drover.pid=none", "-g", "drover.control=none"});
  }
  void SetUp() override { write_file(good_copy_, read_file(daemon_.config_path())); }

  Daemon daemon_{{.config = kGood}};
  const std::string good_copy_ = daemon_.file("good.conf");
};

TEST_P(BadConfigTest, IsNamedByTestStartAndReloadAndTheRunningDaemonGoesOn) {
  Client client(Endpoint::v4(daemon_.port()));
  ASSERT_EQ(client.exchange("before"), "before");
  const std::vector<WorkerProcess> before = daemon_.workers();
  GetParam().spoil(daemon_);

  const CommandResult results[] = {daemon_.run_command({"-t"}), start_beside(), ask("reload")};

  for (const CommandResult& result : results) {
    EXPECT_EQ(result.status, 1) << result.both();
    EXPECT_NE(result.both().find(GetParam().message), std::string::npos) << result.both();
  }
  EXPECT_EQ(client.exchange("after"), "after");
  EXPECT_EQ(Client(Endpoint::v4(daemon_.port())).exchange("new"), "new");
  EXPECT_EQ(ask("status").status, 0);
  EXPECT_TRUE(wait_until([&] { return daemon_.workers().size() == before.size(); }));
  EXPECT_EQ(daemon_.worker_pid(0), before[0].pid);
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigTest, ::testing::ValuesIn(bad_configs()),
                         [](const auto& row) { return row.param.name; });

TEST(PortOfAnother, RefusesTheReloadAndTheRunningDaemonGoesOn) {
  Daemon other({.config = kGood});
  Daemon daemon({.config = kGood});
  const std::string taken = "127.0.0.1:" + std::to_string(other.port());

  const CommandResult reload = daemon.reload(kGood + echo_server("exclusive", taken, "second"));

  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find(taken), std::string::npos) << reload.both();
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("on"), "on");
  EXPECT_EQ(daemon.status().serving()->number, 1U);
}

TEST(UnreadableConfig, IsNamedAndTheRunningDaemonGoesOn) {
  Daemon daemon({.config = kGood, .wrapper = as_unprivileged()});
  const std::string good_copy = daemon.file("good.conf");
  write_file(good_copy, read_file(daemon.config_path()));
  ASSERT_EQ(::chmod(daemon.config_path().c_str(), 0), 0);
  const CommandResult test = daemon.run_command({"-t"}, as_unprivileged());

  const CommandResult reload =
      run_command({built("drover"), "-c", good_copy, "-p", daemon.dir(), "-s", "reload"});

  EXPECT_EQ(test.status, 1);
  EXPECT_NE(test.errors.find("Permission denied"), std::string::npos) << test.both();
  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find("Permission denied"), std::string::npos) << reload.both();
  EXPECT_EQ(Client(Endpoint::v4(daemon.port())).exchange("on"), "on");
}

TEST(SeveralErrors, AreAllTold) {
  Daemon daemon({.config = kGood, .wait_ready = false});
  daemon.rewrite_config(config("workers = none\nsteer_after = soon", echo_server("lottery")));

  const CommandResult result = daemon.run_command({"-t"});

  for (const char* part : {"workers", "steer_after", "accept", "drover.conf:"}) {
    EXPECT_NE(result.errors.find(part), std::string::npos) << part << "\n" << result.errors;
  }
}

}  // namespace
}  // namespace drover::test

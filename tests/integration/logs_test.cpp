// What is written where: access lines that add up, and log files that are renamed and reopened
// under load without a line lost or in the wrong file.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <regex>

#include "tests/support/access_lines.h"
#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

namespace fs = std::filesystem;

// The logs lie in a folder of their own, so that a test can take it away.
class Logs : public ::testing::Test {
 protected:
  [[nodiscard]] std::string access_log() const { return folder_.file("logs/access.log"); }
  [[nodiscard]] std::string error_log() const { return folder_.file("logs/error.log"); }
  [[nodiscard]] std::string logged() const {
    fs::create_directory(folder_.file("logs"));
    return config("workers = 4\nerror_log = " + error_log() + " info",
                  echo_server("exclusive") + "access_log = " + access_log() + "\n");
  }
  [[nodiscard]] bool is_open_somewhere(const std::string& path) const {
    return std::ranges::any_of(daemon_.processes(), [&](pid_t pid) {
      const std::vector<std::string> links = fd_links(pid);
      return std::ranges::find(links, path) != links.end();
    });
  }

  const TempDir folder_;
  Daemon daemon_{{.config = logged()}};
  const Endpoint server_ = Endpoint::v4(daemon_.port());
};

TEST_F(Logs, HaveOneLineAConnectionWithWhatItDid) {
  std::vector<Client> clients;
  std::vector<std::string> names;
  for (size_t i = 0; i < 40; ++i) {
    clients.emplace_back(server_);
    names.push_back(clients.back().name());
    const std::string bytes(i * 100, 'b');
    ASSERT_EQ(clients.back().exchange(bytes), bytes);
  }
  for (Client& client : clients) client.close();

  std::vector<AccessLine> lines = wait_for_access_lines(access_log(), clients.size());

  ASSERT_EQ(lines.size(), clients.size());
  const std::regex time(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
  for (const AccessLine& line : lines) {
    const auto client = std::find(names.begin(), names.end(), line.peer);
    ASSERT_NE(client, names.end()) << line.peer;
    EXPECT_EQ(line.bytes_in, (client - names.begin()) * 100);
    EXPECT_EQ(line.bytes_out, line.bytes_in);
    EXPECT_EQ(line.server, "echo");
    EXPECT_EQ(line.reason, "peer");
    EXPECT_LT(line.duration_ms, 10'000);
    EXPECT_TRUE(std::regex_match(line.time, time)) << line.time;
    *client = "seen";
  }
}

TEST_F(Logs, SayHowAConnectionEnded) {
  Client reset(server_);
  ASSERT_EQ(reset.exchange("abc"), "abc");
  reset.reset();
  Client drained(server_);
  ASSERT_EQ(drained.exchange("abc"), "abc");
  ASSERT_EQ(daemon_.stop(SIGTERM), 0);

  const std::vector<AccessLine> lines = read_access_log(access_log());

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].reason, "reset");
  EXPECT_EQ(lines[1].reason, "drained");
}

size_t count_lines(const std::string& path) { return read_access_log(path).size(); }

// The log that is reopened is the one in force when the reload has failed.
TEST_F(Logs, AreReopenedAfterAReloadThatIsUnderWay) {
  const std::string other = folder_.file("logs/other.log");
  std::string slow = replace_all(logged(), error_log(), other);
  slow = replace_all(
      slow, "load = echo\n",
      "load = echo\nready_timeout = 500ms\nload = " + built("test-modules/slow_start.so") + "\n");
  daemon_.rewrite_config(slow +
                         "\n[server slow]\nlisten = 127.0.0.1:{port2}\nprotocol = slow_start\n");
  daemon_.signal_master(SIGHUP);
  ASSERT_TRUE(wait_until([&] { return fs::exists(other); }));

  fs::rename(error_log(), error_log() + ".1");
  const CommandResult reopen = daemon_.run_command({"-s", "reopen"});

  ASSERT_EQ(reopen.status, 0) << reopen.both();
  EXPECT_NE(read_file(error_log() + ".1").find("failed: "), std::string::npos)
      << "the reload was over before the logs were reopened";
  const auto size = fs::file_size(error_log() + ".1");
  EXPECT_EQ(daemon_.reload(logged()).status, 0);
  EXPECT_EQ(fs::file_size(error_log() + ".1"), size);
  EXPECT_NE(read_file(error_log()).find("serving: generation="), std::string::npos);
}

// logrotate: rename, reopen, look again when the command has returned.
TEST_F(Logs, LoseNoLineWhenTheyAreRotatedUnderLoad) {
  LoadGenerator load({.targets = {server_}, .concurrency = 50});
  std::vector<std::string> rotated;

  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(load.wait_for_completed(300)) << load.stats().to_string();
    rotated.push_back(access_log() + "." + std::to_string(round));
    fs::rename(access_log(), rotated.back());
    fs::rename(error_log(), error_log() + "." + std::to_string(round));
    const CommandResult reopen = daemon_.run_command({"-s", "reopen"});
    ASSERT_EQ(reopen.status, 0) << reopen.both();
  }
  std::vector<std::uintmax_t> sizes;
  for (const std::string& path : rotated) sizes.push_back(fs::file_size(path));
  ASSERT_TRUE(load.wait_for_completed(300)) << load.stats().to_string();
  const LoadStats stats = load.stop();

  EXPECT_EQ(stats.failures(), 0) << stats.to_string();
  size_t before = 0;
  for (size_t i = 0; i < rotated.size(); ++i) {
    EXPECT_EQ(fs::file_size(rotated[i]), sizes[i]) << "written to after -s reopen had returned";
    before += count_lines(rotated[i]);
  }
  EXPECT_GE(before, 900U);
  const auto all = static_cast<size_t>(daemon_.status().totals.accepted);
  static_cast<void>(wait_for_access_lines(access_log(), all - before));
  EXPECT_EQ(count_lines(access_log()), all - before);
}

TEST_F(Logs, TakeTheErrorLinesToTheNewFile) {
  fs::rename(error_log(), error_log() + ".1");
  ASSERT_EQ(daemon_.run_command({"-s", "reopen"}).status, 0);
  const std::string former = read_file(error_log() + ".1");

  kill_now(daemon_.worker_pid(0));

  EXPECT_TRUE(wait_until([&] {
    return read_file(error_log()).find("worker 0 gen 1") != std::string::npos;
  })) << read_file(error_log());
  EXPECT_EQ(read_file(error_log() + ".1"), former);
}

TEST_F(Logs, AreReopenedByUsr1) {
  fs::rename(access_log(), access_log() + ".1");

  daemon_.signal_master(SIGUSR1);

  EXPECT_TRUE(wait_until([&] { return !is_open_somewhere(access_log() + ".1"); }));
  EXPECT_EQ(Client(server_).exchange("x"), "x");
  EXPECT_EQ(wait_for_access_lines(access_log(), 1).size(), 1U);
  EXPECT_EQ(count_lines(access_log() + ".1"), 0U);
}

TEST_F(Logs, NameAWorkerThatDoesNotAcknowledge) {
  const pid_t hung = daemon_.worker_pid(2);
  stop(hung);
  fs::rename(access_log(), access_log() + ".1");
  const auto start = Clock::now();

  const CommandResult reopen = daemon_.run_command({"-s", "reopen"});

  EXPECT_EQ(reopen.status, 1) << reopen.both();
  EXPECT_NE(reopen.both().find("pid " + std::to_string(hung)), std::string::npos) << reopen.both();
  EXPECT_LT(since(start), Millis{8000});
  resume(hung);
  EXPECT_EQ(daemon_.run_command({"-s", "reopen"}).status, 0) << "it is well again";
  EXPECT_EQ(daemon_.worker_pid(2), hung);
}

TEST_F(Logs, StayWhereTheyAreWhenTheyCannotBeReopened) {
  const std::string elsewhere = folder_.file("elsewhere");
  fs::rename(folder_.file("logs"), elsewhere);

  const CommandResult reopen = daemon_.run_command({"-s", "reopen"});

  EXPECT_EQ(reopen.status, 1);
  EXPECT_NE(reopen.both().find("No such file"), std::string::npos) << reopen.both();
  EXPECT_EQ(Client(server_).exchange("x"), "x");
  EXPECT_EQ(wait_for_access_lines(elsewhere + "/access.log", 1).size(), 1U);
}

// The error log can be had and the access log cannot: neither moves.
TEST_F(Logs, MoveTogetherOrNotAtAll) {
  fs::rename(error_log(), error_log() + ".1");
  fs::remove(access_log());
  fs::create_directory(access_log());
  ASSERT_EQ(daemon_.run_command({"-s", "reopen"}).status, 1);

  kill_now(daemon_.worker_pid(0));

  EXPECT_TRUE(wait_until([&] {
    return read_file(error_log() + ".1").find("worker 0 gen 1") != std::string::npos;
  })) << read_file(error_log());
}

TEST_F(Logs, MoveWithAReloadThatNamesOthers) {
  std::string text = replace_all(logged(), "error.log info", "second.log info");
  text = replace_all(text, "access.log", "second-access.log");

  ASSERT_EQ(daemon_.reload(text).status, 0);

  const std::string second = read_file(folder_.file("logs/second.log"));
  EXPECT_NE(second.find("serving: generation=2"), std::string::npos) << second;
  kill_now(daemon_.worker_pid(0));
  EXPECT_TRUE(wait_until([&] {
    return read_file(folder_.file("logs/second.log")).find("worker 0 gen 2") != std::string::npos;
  }));
  EXPECT_EQ(Client(server_).exchange("x"), "x");
  EXPECT_EQ(wait_for_access_lines(folder_.file("logs/second-access.log"), 1).size(), 1U);
}

// The new error log can be had and the new generation cannot: the running one keeps its own.
TEST_F(Logs, StayWhereTheyAreWhenTheReloadIsRefused) {
  std::string text = replace_all(logged(), "error.log info", "second.log info");
  ASSERT_EQ(daemon_.reload(text + "listen = 192.0.2.1:{port}\n").status, 1);

  EXPECT_NE(read_file(error_log()).find("192.0.2.1"), std::string::npos) << "why it was refused";
  kill_now(daemon_.worker_pid(0));

  EXPECT_TRUE(wait_until([&] {
    return read_file(error_log()).find("worker 0 gen 1") != std::string::npos;
  })) << read_file(error_log());
}

TEST_F(Logs, OfAReloadThatCannotBeOpenedRefuseIt) {
  const std::string text = replace_all(logged(), "logs/error.log", "missing/error.log");

  const CommandResult reload = daemon_.reload(text);

  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find("missing/error.log: No such file"), std::string::npos)
      << reload.both();
  EXPECT_EQ(Client(server_).exchange("x"), "x");
}

class LogThatCannotBeOpened : public ::testing::TestWithParam<const char*> {};

TEST_P(LogThatCannotBeOpened, RefusesTheStartWithAMessage) {
  std::string text = config("workers = 1", echo_server("exclusive"));
  const std::string directive = GetParam();
  const std::string line = directive + " = {dir}/missing/" + directive + ".log\n";
  text = directive == "error_log" ? config(line, echo_server("exclusive")) : text + line;

  Daemon daemon({.config = text, .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return daemon.program_status().has_value(); })) << daemon.log();
  EXPECT_EQ(daemon.program_status(), 1);
  EXPECT_TRUE(daemon.log_contains("missing/" + directive + ".log: No such file")) << daemon.log();
  EXPECT_TRUE(daemon.log_contains(directive)) << daemon.log();
}

INSTANTIATE_TEST_SUITE_P(Directives, LogThatCannotBeOpened,
                         ::testing::Values("error_log", "access_log"),
                         [](const auto& row) { return row.param; });

TEST(ErrorLog, KeepsToItsLevel) {
  Daemon daemon({.config = config("workers = 1\nerror_log = {dir}/error.log error",
                                  echo_server("exclusive"))});

  ASSERT_EQ(daemon.run_command({"-s", "reopen"}).status, 0);
  ASSERT_EQ(daemon.reload(read_file(daemon.config_path())).status, 0);

  EXPECT_EQ(read_file(daemon.file("error.log")), "");
}

}  // namespace
}  // namespace drover::test

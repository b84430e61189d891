// Helpers as processes of the real daemon: forked, ready with their generation, replaced, drained
// after the workers, and in nobody's way whatever they do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <ostream>

#include "tests/integration/counter_daemon.h"
#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Echo, which serves whatever becomes of the helper of the other server.
std::string helping(const std::string& mode, const std::string& drover = "") {
  return config(
      "workers = 2\nload = " + built("test-modules/helping.so") + "\n" + drover,
      echo_server("exclusive") +
          "\n[server other]\nlisten = 127.0.0.1:{port2}\nprotocol = helping\nhelping.mode = " +
          mode + "\n");
}

constexpr std::string_view kOnceMore = "helper other/job gen 1 lives once more to drain: pid=";

int how_often(const Daemon& daemon, std::string_view text) {
  const std::string log = daemon.log();
  int times = 0;
  for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++times;
  return times;
}

bool has_ready_helper(const DaemonStatus& now) { return helper_of(now).state == "ready"; }

TEST(Helper, IsShownWithItsServerAndName) {
  Daemon daemon({.config = helping("fine")});

  const HelperStatus helper = helper_of(daemon.status());

  EXPECT_EQ(helper.server, "other");
  EXPECT_EQ(helper.name, "job");
  EXPECT_EQ(helper.state, "ready");
  EXPECT_EQ(helper.restarts, 0);
  EXPECT_EQ(title_of(helper.pid), "drover: helper other/job gen 1");
  EXPECT_THAT(daemon.run_command({"-s", "status"}).output,
              HasSubstr("  helper other/job: pid " + std::to_string(helper.pid) + ", ready, up "));
}

TEST(Helper, HasNoSocketOfAListener) {
  Daemon daemon({.config = helping("fine")});

  EXPECT_EQ(socket_inodes_of(helper_of(daemon.status()).pid).size(), 1U) << "its channel";
}

TEST(Helper, GetsNothingThatIsAWorkers) {
  Daemon daemon({.config = helping("checks")});

  EXPECT_TRUE(has_ready_helper(daemon.status()));
}

TEST(Helper, RunsAsTheUserOfTheWorkers) {
  ASSERT_EQ(::geteuid(), 0U) << "only root has privileges to drop: run this test as root";
  Daemon daemon({.config = helping("fine", "user = nobody")});

  struct stat status {};
  const std::string folder = "/proc/" + std::to_string(helper_of(daemon.status()).pid);
  ASSERT_EQ(::stat((folder + "/task").c_str(), &status), 0);
  EXPECT_EQ(read_file(folder + "/status").find("\nUid:\t0"), std::string::npos);
  EXPECT_THAT(read_file(folder + "/status"),
              HasSubstr("\nUid:\t" + std::to_string(::getpwnam("nobody")->pw_uid)));
}

TEST(Helper, ThatIsKilledIsReplacedAndNobodyElseNotices) {
  Daemon daemon({.config = helping("fine")});
  Client client(Endpoint::v4(daemon.port()));
  const std::vector<pid_t> workers = worker_pids(daemon);
  const pid_t first = helper_of(daemon.status()).pid;

  kill_now(first);

  EXPECT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    return has_ready_helper(now) && helper_of(now).pid != first && helper_of(now).restarts == 1;
  }));
  EXPECT_TRUE(daemon.log_contains("helper other/job gen 1 ended: pid=" + std::to_string(first) +
                                  " was killed by signal 9 (SIGKILL) after "));
  EXPECT_EQ(worker_pids(daemon), workers);
  EXPECT_EQ(client.exchange("hello"), "hello");
}

TEST(Helper, ThatCrashesAfterReadyIsReportedAndBacksOff) {
  Daemon daemon({.config = helping("abort")});

  EXPECT_TRUE(daemon.wait_for_log("helper other/job: starting the next in 100 ms"));
  EXPECT_TRUE(daemon.wait_for_log("helper other/job: starting the next in 400 ms"));

  EXPECT_TRUE(daemon.log_contains("helper other/job gen 1 crashed: signal=ABRT"));
  EXPECT_TRUE(daemon.log_contains(" helping.so+0x"));
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return helper_of(now).state == "backoff" && helper_of(now).pid == 0;
  }));
  EXPECT_EQ(daemon.status().serving()->workers.at(0).restarts, 0);
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(daemon.reload(helping("fine")).status, 0);
}

TEST(Helper, ThatGetsTermEndsInOrderAndIsReplaced) {
  Daemon daemon({.config = helping("fine")});
  const pid_t first = helper_of(daemon.status()).pid;

  ::kill(first, SIGTERM);

  EXPECT_TRUE(daemon.wait_for_log("ends in order"));
  EXPECT_TRUE(daemon.wait_for_log("helper other/job gen 1 drains on its own: pid="));
  EXPECT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    return has_ready_helper(now) && helper_of(now).pid != first;
  }));
}

// This one would die of its first timer, and a start or a reload with it, while a worker takes its
// time to be ready.
TEST(Helper, IsCalledByNoHookBeforeItsGenerationServes) {
  const std::string slow = "load = " + built("test-modules/slow_start.so") + "\n";
  const std::string slow_server =
      "\n[server slow]\nlisten = 127.0.0.1:{port3}\nprotocol = slow_start\n";
  Daemon daemon({.config = helping("fine")});

  EXPECT_EQ(daemon.reload(helping("abort", slow) + slow_server).status, 0);

  EXPECT_TRUE(daemon.wait_for_log("helper other/job gen 2 crashed: signal=ABRT"));
}

// Not ready yet, it keeps its generation from serving, and goes with the master that began it.
TEST(Helper, GoesWithTheMasterThatDiesBeforeItsGenerationServes) {
  Daemon daemon({.config = helping("fine"),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "helper.started:1"}},
                 .wait_ready = false});
  static_cast<void>(daemon.wait_for_paused());

  kill_now(daemon.master_pid());

  EXPECT_TRUE(daemon.wait_gone()) << "the one that is stopped, too";
}

struct Refusal {
  const char* mode;
  const char* reason;
};
void PrintTo(const Refusal& row, std::ostream* out) { *out << row.mode; }
class RefusedHelper : public ::testing::TestWithParam<Refusal> {};

TEST_P(RefusedHelper, RefusesTheReloadWithTheReasonAndTheOldGenerationGoesOn) {
  Daemon daemon({.config = helping("fine")});
  const pid_t before = helper_of(daemon.status()).pid;

  const CommandResult refused = daemon.reload(helping(GetParam().mode, "ready_timeout = 1s"));

  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.both(),
              AllOf(HasSubstr(GetParam().reason), HasSubstr("the running configuration goes on")));
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(helper_of(daemon.status()).pid, before);
  EXPECT_TRUE(wait_until([&] { return helper_pids(daemon).size() == 1; }));
}

INSTANTIATE_TEST_SUITE_P(
    Modes, RefusedHelper,
    ::testing::Values(
        Refusal{"refuse",
                "server other: module helping refused to start helper job: no job for me"},
        Refusal{"slow", "helper other/job was not ready within ready_timeout (1000 ms)"},
        Refusal{"twice",
                "server other: module helping refused its configuration: helper job "
                "refused: helper job: asked for twice"}),
    [](const auto& row) { return row.param.mode; });

TEST(Helper, ThatRefusesAtStartEndsTheStart) {
  Daemon daemon({.config = helping("refuse"), .wait_ready = false});

  ASSERT_TRUE(wait_until([&] { return daemon.program_status().has_value(); }));
  EXPECT_EQ(daemon.program_status(), 1);
  EXPECT_TRUE(daemon.log_contains("no job for me"));
}

TEST(Helper, ThatIsAskedForTooLateIsRefused) {
  Daemon daemon({.config = helping("late")});

  EXPECT_TRUE(daemon.log_contains("helper late refused: asked for outside of validate"));
  EXPECT_EQ(daemon.status().serving()->helpers.size(), 1U);
}

TEST(Helper, GoesOverToTheNewLog) {
  TempDir logs;
  const std::string log = logs.file("error.log");
  Daemon daemon({.config = helping("fine", "error_log = " + log + " info")});
  std::filesystem::rename(log, log + ".1");

  EXPECT_EQ(daemon.run_command({"-s", "reopen"}).status, 0);
  ::kill(helper_of(daemon.status()).pid, SIGTERM);

  EXPECT_TRUE(
      wait_until([&] { return read_file(log).find("ends in order") != std::string::npos; }));
}

// A helper may wait for a disk for as long as that takes; it is nobody's worker.
TEST(Helper, ThatIsSilentIsNotTakenForHung) {
  Daemon daemon({.config = helping("fine", "steer_after = 300ms\nhang_timeout = 1s")});
  const pid_t helper = helper_of(daemon.status()).pid;

  stop(helper);
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return helper_of(now).heartbeat_age_ms > 2'500; }));
  resume(helper);

  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return helper_of(now).heartbeat_age_ms < 1'000; }));
  EXPECT_EQ(helper_of(daemon.status()).pid, helper);
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(Helper, ThatIsStoppedHoldsUpNoReloadAndIsKilledWithItsGeneration) {
  const std::string quick = "worker_shutdown_timeout = 500ms";
  Daemon daemon({.config = helping("fine", quick)});
  const pid_t frozen = helper_of(daemon.status()).pid;
  stop(frozen);
  const auto start = Clock::now();

  EXPECT_EQ(daemon.reload(helping("fine", quick)).status, 0);

  EXPECT_LT(since(start), Millis{2'000});
  EXPECT_EQ(answer(daemon), "hello");
  EXPECT_EQ(daemon.status().generations.size(), 2U) << "the master answers";
  EXPECT_TRUE(wait_until([&] { return !is_alive(frozen); }));
  EXPECT_TRUE(daemon.log_contains("helper other/job gen 1 overdue: pid="));
  EXPECT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));
}

TEST(Helper, ThatDoesNotEndHoldsUpAStopForSecondsOnly) {
  Daemon daemon({.config = helping("stay")});
  const auto start = Clock::now();

  EXPECT_EQ(daemon.stop(SIGTERM), 0);

  EXPECT_LT(since(start), Millis{4'000});
  EXPECT_TRUE(daemon.log_contains("helper other/job gen 1 overdue: pid="));
  EXPECT_FALSE(daemon.log_contains(kOnceMore)) << "the end of its time is the end";
}

// The last worker is busy for most of the two seconds that a fast stop gives.
TEST(Helper, HasItsTimeAfterAFastStopHoweverLongTheWorkersTook) {
  Daemon daemon({.config = helping("linger", "load = " + built("test-modules/blocking.so")) +
                           "\n[server busy]\nlisten = 127.0.0.1:{port3}\nprotocol = blocking\n"});
  Client client(Endpoint::v4(daemon.port(3)));
  client.send_all("block 1900\n");
  ASSERT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return std::ranges::any_of(now.serving()->workers, [](const WorkerStatus& worker) {
      return worker.heartbeat_age_ms > 400;
    });
  }));

  EXPECT_EQ(daemon.stop(SIGTERM), 0);

  EXPECT_TRUE(daemon.log_contains("ends in order"));
  EXPECT_FALSE(daemon.log_contains("helper other/job gen 1 overdue"));
}

TEST(Helper, ThatDiesOverItsEndLivesOnceMoreAndNoMore) {
  Daemon daemon({.config = helping("fall")});

  EXPECT_EQ(daemon.stop(SIGTERM), 0);

  EXPECT_EQ(how_often(daemon, "helper other/job gen 1 crashed: signal=ABRT"), 2);
  EXPECT_EQ(how_often(daemon, kOnceMore), 1);
}

TEST(Helper, EndsAfterTheLastWorkerOfItsGeneration) {
  Daemon daemon({.config = helping("fine", "worker_shutdown_timeout = 30s")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("x"), "x");
  const pid_t helper = helper_of(daemon.status()).pid;
  ASSERT_EQ(daemon.reload(helping("fine")).status, 0);
  ASSERT_TRUE(wait_until([&] { return daemon.workers_of(1).size() == 1; }));

  EXPECT_EQ(client.exchange("y"), "y");
  EXPECT_TRUE(is_alive(helper));
  EXPECT_FALSE(daemon.log_contains("ends in order"));
  client.close();

  EXPECT_TRUE(wait_until([&] { return !is_alive(helper); }));
  EXPECT_TRUE(daemon.log_contains("ends in order"));
}

TEST(Helper, IsReplacedWhileItsGenerationDrains) {
  Daemon daemon({.config = helping("fine", "worker_shutdown_timeout = 30s")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("x"), "x");
  ASSERT_EQ(daemon.reload(helping("fine")).status, 0);
  const std::vector<pid_t> former = helper_pids(daemon, 1);
  ASSERT_EQ(former.size(), 1U);

  kill_now(former[0]);

  EXPECT_TRUE(wait_until([&] {
    const std::vector<pid_t> now = helper_pids(daemon, 1);
    return now.size() == 1 && now != former;
  }));
  EXPECT_EQ(client.exchange("y"), "y");
}

TEST(Helper, LeavesWithTheLastWorkerWhenTheMasterHasGone) {
  Daemon daemon({.config = helping("fine", "worker_shutdown_timeout = 30s")});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("x"), "x");
  kill_now(daemon.master_pid());
  ASSERT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  ASSERT_TRUE(wait_until([&] { return daemon.workers().size() == 1; }));

  EXPECT_EQ(helper_pids(daemon).size(), 1U);
  EXPECT_EQ(client.exchange("y"), "y");
  client.close();

  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_TRUE(daemon.log_contains("ends in order"));
}

}  // namespace
}  // namespace drover::test

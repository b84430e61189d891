// What a helper is for: the counter's value reaches the disk, whole and in the end right, whoever
// is killed on the way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "tests/integration/counter_daemon.h"

namespace drover::test {
namespace {

using testing::ElementsAre;

std::string on_disk(const Daemon& daemon, const std::string& file = "count") {
  return read_file(daemon.file(file));
}

bool reaches_disk(const Daemon& daemon, const std::string& value,
                  const std::string& file = "count") {
  return wait_until([&] { return on_disk(daemon, file) == value + "\n"; });
}

std::string add(LineClient& client, int times) {
  std::string value;
  for (int i = 0; i < times; ++i) value = client.ask("add");
  return value;
}

TEST(HelperWrites, TheValueReachesTheDisk) {
  Daemon daemon({.config = counting_on_disk()});
  LineClient client(daemon);

  EXPECT_TRUE(reaches_disk(daemon, add(client, 3))) << on_disk(daemon);
  EXPECT_TRUE(reaches_disk(daemon, add(client, 1))) << on_disk(daemon);
}

// Reads the file without end: what is there is whole, and never less than before.
struct Reader {
  explicit Reader(const Daemon& daemon) : thread([this, &daemon] { run(daemon); }) {}
  ~Reader() { stop(); }
  void stop() {
    is_over = true;
    if (thread.joinable()) thread.join();
  }
  void run(const Daemon& daemon) {
    std::uint64_t last = 0;
    for (; !is_over; ++reads) {
      const std::string text = on_disk(daemon);
      if (text.empty() && last == 0) continue;  // not there yet
      const bool is_whole =
          text.size() > 1 && text.back() == '\n' &&
          std::all_of(text.begin(), text.end() - 1, [](char c) { return c >= '0' && c <= '9'; });
      const std::uint64_t value = is_whole ? std::stoull(text) : 0;
      if (!is_whole || value < last) wrong = "\"" + text + "\" after " + std::to_string(last);
      last = value;
      changes += is_whole;
    }
  }
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> reads = 0;
  std::uint64_t changes = 0;
  std::string wrong;
  std::thread thread;
};

// Three generations live at last, each with its helper: all are killed, again and again, at
// whatever moment of their writing.
TEST(HelperWrites, TheFileIsWholeAndInTheEndRightWhenHelpersAreKilledAtAnyTime) {
  constexpr int kGenerations = 3;
  constexpr int kKillsEach = 6;
  Daemon daemon({.config = counting_on_disk("worker_shutdown_timeout = 60s")});
  std::vector<std::unique_ptr<Adder>> adders;
  for (int i = 0; i < 2; ++i) adders.push_back(std::make_unique<Adder>(daemon));
  Reader reader(daemon);

  int killed = 0;
  for (int generation = 1; generation <= kGenerations; ++generation) {
    if (generation > 1) {
      ASSERT_EQ(daemon.reload(counting_on_disk("worker_shutdown_timeout = 60s")).status, 0);
      adders.push_back(std::make_unique<Adder>(daemon));
    }
    for (int i = 0; i < kKillsEach; ++i) {
      ASSERT_TRUE(wait_until([&] { return !helper_pids(daemon, generation).empty(); }));
      const std::uint64_t reads = reader.reads;
      static_cast<void>(wait_until([&] { return reader.reads > reads + 3 * std::uint64_t(i); }));
      for (const pid_t pid : helper_pids(daemon)) {
        kill_now(pid);
        ++killed;
      }
    }
  }
  std::uint64_t broken = 0;
  std::uint64_t answered = 0;
  for (const auto& adder : adders) {
    adder->stop();
    broken += adder->broken;
    answered += adder->answered;
  }
  const std::string value = LineClient(daemon).ask("get");

  EXPECT_TRUE(reaches_disk(daemon, value)) << on_disk(daemon) << " not " << value;
  reader.stop();
  EXPECT_EQ(reader.wrong, "");
  EXPECT_GE(killed, kGenerations * kKillsEach);
  EXPECT_EQ(std::stoull(value), answered);
  EXPECT_EQ(broken, 0U) << "connections";
  const DaemonStatus now = daemon.status();
  for (const WorkerStatus& worker : now.serving()->workers) EXPECT_EQ(worker.restarts, 0);
}

// A connection keeps the former generation, and its helper the lease: the new one's file appears
// when that has gone.
TEST(HelperWrites, OneOfTwoGenerationsWritesAndTheOtherTakesOver) {
  const std::string patient = "worker_shutdown_timeout = 30s";
  Daemon daemon({.config = counting_on_disk(patient, "first")});
  auto old_client = std::make_unique<LineClient>(daemon);
  ASSERT_TRUE(reaches_disk(daemon, add(*old_client, 1), "first"));
  ASSERT_EQ(daemon.reload(counting_on_disk(patient, "second")).status, 0);
  ASSERT_EQ(helper_pids(daemon).size(), 2U);

  LineClient client(daemon);
  EXPECT_TRUE(reaches_disk(daemon, add(client, 2), "first")) << "what the new one counts, too";
  EXPECT_TRUE(reaches_disk(daemon, add(*old_client, 1), "first"));
  EXPECT_EQ(on_disk(daemon, "second"), "");
  old_client.reset();

  EXPECT_TRUE(reaches_disk(daemon, "4", "second"));
  EXPECT_TRUE(reaches_disk(daemon, add(client, 1), "second"));
  EXPECT_EQ(on_disk(daemon, "first"), "4\n");
}

TEST(HelperWrites, AnotherGenerationsHelperTakesOverFromAStoppedOne) {
  const std::string patient = "worker_shutdown_timeout = 30s";
  Daemon daemon({.config = counting_on_disk(patient)});
  LineClient old_client(daemon);
  ASSERT_TRUE(reaches_disk(daemon, add(old_client, 1)));
  const pid_t frozen = helper_of(daemon.status()).pid;
  stop(frozen);
  ASSERT_EQ(daemon.reload(counting_on_disk(patient)).status, 0);

  EXPECT_TRUE(reaches_disk(daemon, add(old_client, 1)));
  EXPECT_TRUE(is_alive(frozen));
  LineClient client(daemon);
  const std::string value = add(client, 1);
  resume(frozen);

  EXPECT_TRUE(reaches_disk(daemon, value));
}

struct Ending {
  const char* name;
  int signal;
};
void PrintTo(const Ending& row, std::ostream* out) { *out << row.name; }
class LastValue : public ::testing::TestWithParam<Ending> {};

TEST_P(LastValue, IsOnDiskWhenTheDaemonHasStopped) {
  for (int round = 0; round < 3; ++round) {
    Daemon daemon({.config = counting_on_disk()});
    std::string value;
    {
      LineClient client(daemon);
      ASSERT_TRUE(reaches_disk(daemon, add(client, 5)));
      value = client.ask("quietly");  // nobody has rung the helper for this one
    }

    EXPECT_EQ(daemon.stop(GetParam().signal), 0);

    EXPECT_EQ(on_disk(daemon), value + "\n");
  }
}

// Killed so often that it waits to be started again, with nobody to write: it gets one more life.
TEST_P(LastValue, IsOnDiskAlsoWhenTheHelperWasDeadAtThatMoment) {
  Daemon daemon({.config = counting_on_disk()});
  for (int deaths = 0; deaths < 7; ++deaths) {
    ASSERT_TRUE(wait_until([&] { return !helper_pids(daemon).empty(); }));
    kill_now(helper_pids(daemon).at(0));
    ASSERT_TRUE(wait_until([&] { return helper_of(daemon.status()).restarts >= deaths; }));
  }
  ASSERT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return helper_of(now).state == "backoff"; }));
  std::string value;
  {
    LineClient client(daemon);
    value = add(client, 5);
  }

  EXPECT_EQ(daemon.stop(GetParam().signal), 0);

  EXPECT_EQ(on_disk(daemon), value + "\n");
}

INSTANTIATE_TEST_SUITE_P(Stops, LastValue,
                         ::testing::Values(Ending{"stop", SIGTERM}, Ending{"quit", SIGQUIT}),
                         [](const auto& row) { return row.param.name; });

// The master is stopped where it is about to reap a stop's first worker. Until it goes on the
// helper ends, then the last worker, which has counted once more; and that is reaped first.
class HelperAtTheEnd : public ::testing::TestWithParam<Ending> {};

TEST_P(HelperAtTheEnd, LivesOnceMoreWhenNobodyKnewThatItHadGone) {
  const TempDir pauses;
  Daemon daemon({.config = counting_on_disk("worker_shutdown_timeout = 30s"),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "@" + pauses.file("rules")}}});
  auto client = std::make_unique<LineClient>(daemon);
  ASSERT_TRUE(reaches_disk(daemon, add(*client, 1)));
  const pid_t helper = helper_of(daemon.status()).pid;
  write_file(pauses.file("rules"), "master.reap:1");
  daemon.signal_master(SIGQUIT);
  const pid_t master = daemon.wait_for_paused();
  ASSERT_EQ(master, daemon.master_pid());

  ::kill(helper, GetParam().signal);
  ASSERT_TRUE(wait_until([&] { return !is_alive(helper); }));
  const std::string value = client->ask("quietly");
  client.reset();
  ASSERT_TRUE(wait_until([&] { return daemon.workers().empty(); }));
  resume(master);

  EXPECT_TRUE(wait_until([&] { return daemon.program_status() == 0; }));
  EXPECT_EQ(on_disk(daemon), value + "\n");
}

INSTANTIATE_TEST_SUITE_P(Ends, HelperAtTheEnd,
                         ::testing::Values(Ending{"killed", SIGKILL}, Ending{"told", SIGTERM}),
                         [](const auto& row) { return row.param.name; });

TEST(HelperWrites, TheLastValueOfAReloadsOldGenerationIsWritten) {
  Daemon daemon({.config = counting_on_disk()});
  auto old_client = std::make_unique<LineClient>(daemon);
  add(*old_client, 1);
  ASSERT_EQ(daemon.reload(counting_on_disk()).status, 0);

  const std::string value = add(*old_client, 7);
  old_client.reset();

  EXPECT_TRUE(reaches_disk(daemon, value));
}

// Some of its heartbeats long, at which it looks whether a worker is left.
TEST(HelperWrites, TheLastValueIsWrittenWhenTheMasterHasGone) {
  Daemon daemon({.config = counting_on_disk("worker_shutdown_timeout = 30s")});
  auto client = std::make_unique<LineClient>(daemon);
  ASSERT_TRUE(reaches_disk(daemon, add(*client, 1)));
  kill_now(daemon.master_pid());
  const auto start = Clock::now();

  while (since(start) < Millis{900}) ASSERT_TRUE(reaches_disk(daemon, add(*client, 1)));
  ASSERT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  const std::string value = add(*client, 5);
  client.reset();

  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_EQ(on_disk(daemon), value + "\n");
}

// A killed helper's successor is stopped at a line, and the master is killed before it goes on: so
// it has not said that it is ready, or has not read that it is to serve.
class HelperOfNoMaster : public ::testing::TestWithParam<const char*> {};

TEST_P(HelperOfNoMaster, WorksUntilTheLastWorkerHasGone) {
  const TempDir pauses;
  Daemon daemon({.config = counting_on_disk("worker_shutdown_timeout = 30s"),
                 .faulty = true,
                 .environment = {{"DROVER_PAUSE", "@" + pauses.file("rules")}}});
  auto client = std::make_unique<LineClient>(daemon);
  ASSERT_TRUE(reaches_disk(daemon, add(*client, 1)));
  write_file(pauses.file("rules"), "helper." + std::string(GetParam()) + ":1");
  kill_now(helper_of(daemon.status()).pid);
  const pid_t helper = daemon.wait_for_paused();
  ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
    return helper_of(now).pid == helper &&
           helper_of(now).state == (GetParam() == std::string("ready") ? "ready" : "starting");
  }));

  kill_now(daemon.master_pid());
  resume(helper);

  EXPECT_TRUE(reaches_disk(daemon, add(*client, 1)));
  ASSERT_EQ(daemon.run_command({"-s", "quit"}).status, 0);
  const std::string value = add(*client, 5);
  client.reset();
  EXPECT_TRUE(daemon.wait_gone());
  EXPECT_EQ(on_disk(daemon), value + "\n");
}

INSTANTIATE_TEST_SUITE_P(PausePoints, HelperOfNoMaster, ::testing::Values("started", "ready"),
                         [](const auto& row) { return std::string(row.param); });

TEST(HelperWrites, AKilledHelperCountsAsAnUncleanEndOfItsZone) {
  Daemon daemon({.config = counting_on_disk()});
  LineClient client(daemon);
  ASSERT_EQ(client.ask("ends"), "0");

  kill_now(helper_of(daemon.status()).pid);

  EXPECT_TRUE(wait_until([&] { return client.ask("ends") == "1"; }));
}

}  // namespace
}  // namespace drover::test

// Each error branch of what the master does, one after the other, the first time it is passed, the
// second, and so on: whatever fails, the operation says so or has succeeded, who served serves on,
// nothing is left of what failed, and the same succeeds afterwards.
#include <gtest/gtest.h>

#include <csignal>
#include <iostream>
#include <set>

#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

// Every point of the master's that can fail, and how often an operation may pass it at most.
struct Point {
  const char* name;
  int passes;
};
constexpr Point kPoints[] = {
    {"fork", 4},     {"bind", 2},     {"listen", 4},       {"socketpair", 4},  {"eventfd", 2},
    {"ledger", 2},   {"log_open", 2}, {"module_copy", 1},  {"zone_memory", 1}, {"control", 1},
    {"pid_file", 1}, {"heritage", 1}, {"upgrade_fork", 1}, {"scoreboard", 1},  {"metric_board", 1},
};

class Sweep {
 public:
  // What an operation needs that the one before it did not have is bound, made and opened anew.
  static std::string next_config(int round) {
    const std::string other = round % 2 == 0 ? "{port2}" : "{port3}";
    return config("workers = 2\nworker_shutdown_timeout = 30s\nready_timeout = 3s\nload = " +
                      built("test-modules/files.so") + "\nerror_log = {dir}/error" +
                      std::to_string(round % 2) + ".log\n",
                  "\n[zone z" + std::to_string(round) + "]\nsize = 64k\n" +
                      echo_server("acceptor") +
                      "max_connections = 100\naccess_log = {dir}/access.log\n" +
                      echo_server("reuseport", "127.0.0.1:" + other, "other") +
                      "\n[server files]\nlisten = unix:{dir}/t" + std::to_string(round) +
                      ".sock\nprotocol = files\n");
  }

  Sweep()
      : daemon_({.config = next_config(0),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "@" + faults_.file("rules")}},
                 .daemonize = true}) {}

  // Tells whether the operation succeeded; a refusal must have said why.
  using Operation = bool (Sweep::*)();
  // `met`: the points that make it fail.
  void run(Operation operation, int most_passes, const std::set<std::string>& met);

  bool command(const char* name) {
    const CommandResult result = daemon_.run_command({"-s", name});
    EXPECT_EQ(result.status != 0, !result.errors.empty()) << result.both();
    return result.status == 0;
  }
  bool reload() { return command("reload"); }
  bool upgrade() { return command("upgrade"); }
  bool reopen() { return command("reopen"); }
  bool adoption() {
    if (const pid_t master = daemon_.master_pid(); master != 0) {
      kill_now(master);
      EXPECT_TRUE(wait_until([&] { return daemon_.master_pid() == 0; }));
    }
    return daemon_.try_to_start_again();
  }

 private:
  void set_faults(const std::string& rules) { write_file(faults_.file("rules"), rules); }
  void expect_whole(const std::string& after, bool has_master);

  TempDir faults_;
  Daemon daemon_;
  int round_ = 0;
};

// One master, the processes of one generation, and nobody else.
void Sweep::expect_whole(const std::string& after, bool has_master) {
  EXPECT_EQ(answer(daemon_), "hello") << after;
  if (!has_master) return;
  EXPECT_TRUE(wait_until([&] {
    const auto now = daemon_.try_status();
    return now && now->serving() != nullptr && now->generations.size() == 1 &&
           now->serving()->workers.size() == 2 && daemon_.processes().size() == 4;
  })) << after
      << ": " << daemon_.processes().size() << " processes";
}

void Sweep::run(Operation operation, int most_passes, const std::set<std::string>& met) {
  for (const Point& point : kPoints) {
    int refused = 0;
    const int passes = std::min(point.passes, most_passes);
    for (int pass = 0; pass < passes && !::testing::Test::HasFailure(); ++pass) {
      const std::string rule = std::string(point.name) + ":" + std::to_string(pass) + "+1";
      daemon_.rewrite_config(next_config(++round_));
      set_faults(rule);
      const bool succeeded = (this->*operation)();
      set_faults("");
      refused += succeeded ? 0 : 1;
      expect_whole(rule, operation != &Sweep::adoption || succeeded);
      EXPECT_TRUE((this->*operation)()) << "after " << rule;
      expect_whole("once more after " + rule, true);
    }
    EXPECT_EQ(refused > 0, met.count(point.name) > 0)
        << point.name << " is passed, or not, other than it is said here";
    std::cout << point.name << ": refused " << refused << " of " << passes << "\n";
  }
}

struct Row {
  const char* name;
  Sweep::Operation operation;
  int most_passes;
  std::set<std::string> met;
};
void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
class FaultSweep : public ::testing::TestWithParam<Row> {};

TEST_P(FaultSweep, WhateverFailsNothingElseDoes) {
  Sweep sweep;
  sweep.run(GetParam().operation, GetParam().most_passes, GetParam().met);
}

// All of them build a generation.
std::set<std::string> building_and(std::set<std::string> more) {
  more.insert({"fork", "bind", "listen", "socketpair", "eventfd", "ledger", "log_open",
               "module_copy", "zone_memory"});
  return more;
}

INSTANTIATE_TEST_SUITE_P(All, FaultSweep,
                         ::testing::Values(Row{"reload", &Sweep::reload, 4, building_and({})},
                                           Row{"upgrade", &Sweep::upgrade, 4,
                                               building_and({"heritage", "upgrade_fork"})},
                                           Row{"adoption", &Sweep::adoption, 1,
                                               building_and({"heritage", "pid_file"})},
                                           Row{"reopen", &Sweep::reopen, 4, {"log_open"}}),
                         [](const auto& row) { return std::string(row.param.name); });

// --- a worker that is killed ---

class RefillFault : public ::testing::TestWithParam<const char*> {};

TEST_P(RefillFault, IsTriedAgainUntilTheSlotServes) {
  const TempDir faults;
  const std::string to_file = "error_log = {dir}/error0.log\n";
  Daemon daemon({.config = replace_all(Sweep::next_config(0), to_file, ""),
                 .faulty = true,
                 .environment = {{"DROVER_FAULT", "@" + faults.file("rules")}}});
  write_file(faults.file("rules"), GetParam() + std::string(":2"));

  kill_now(daemon.worker_pid(0));

  EXPECT_TRUE(daemon.wait_for_log("worker 0: starting the next in "));
  EXPECT_TRUE(wait_until([&] { return daemon.workers().size() == 2; }));
  EXPECT_EQ(answer(daemon), "hello");
}

INSTANTIATE_TEST_SUITE_P(All, RefillFault, ::testing::Values("fork", "socketpair", "ledger"),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace drover::test

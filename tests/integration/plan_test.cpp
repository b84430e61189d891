// `-s reload --plan` changes nothing and says what the reload then does; the reload says it too.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/integration/manual_names.h"
#include "tests/integration/strategies.h"

namespace drover::test {
namespace {

using nlohmann::json;

const std::string kEcho = config("workers = 2", echo_server("exclusive"));
// Other workers, another strategy, a server, a listener and a zone more.
const std::string kMore =
    config("workers = 3\nmax_draining = 2", echo_server("reuseport") +
                                                echo_server("shared", "127.0.0.1:{port2}", "more") +
                                                "\n[zone z]\nsize = 64k\n");

CommandResult plan(Daemon& daemon) { return daemon.run_command({"-s", "reload", "--plan"}); }

json plan_json(Daemon& daemon) {
  return json::parse(daemon.run_command({"-s", "reload", "--plan", "--json"}).output);
}

// All that is open in each process, as "pid fd target".
std::set<std::string> open_files(const Daemon& daemon) {
  std::set<std::string> all;
  for (const pid_t pid : daemon.processes()) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      std::error_code gone;
      const auto target = std::filesystem::read_symlink(entry, gone);
      if (!gone) all.insert(entry.path().string() + " " + target.string());
    }
  }
  return all;
}

// A worker opens what it holds in reserve at its first heartbeat: no plan is to be blamed for it.
bool has_reserve(const Daemon& daemon, pid_t worker) {
  const auto files = open_files(daemon);
  const std::string folder = "/proc/" + std::to_string(worker) + "/";
  return std::ranges::count_if(files, [&folder](const std::string& file) {
           return file.starts_with(folder) && file.ends_with(" /dev/null");
         }) > 1;
}

void wait_until_settled(const Daemon& daemon) {
  EXPECT_TRUE(wait_until([&daemon] {
    return std::ranges::all_of(worker_pids(daemon),
                               [&](pid_t worker) { return has_reserve(daemon, worker); });
  }));
}

// Processes, what they have open, the generation and the sockets that listen. Who has its answer
// has seen the end of the stream, so the master has closed its own end.
struct Picture {
  explicit Picture(Daemon& daemon)
      : processes(daemon.processes()),
        generation(daemon.status().serving()->number),
        listeners(daemon.status().listeners.size()),
        files(open_files(daemon)) {}
  std::vector<pid_t> processes;
  std::uint32_t generation;
  size_t listeners;
  std::set<std::string> files;
};

void expect_same(const Picture& before, const Picture& after) {
  EXPECT_EQ(before.processes, after.processes);
  EXPECT_EQ(before.generation, after.generation);
  EXPECT_EQ(before.listeners, after.listeners);
  std::vector<std::string> differ;
  std::ranges::set_symmetric_difference(before.files, after.files, std::back_inserter(differ));
  EXPECT_EQ(differ, std::vector<std::string>());
}

class PlanTest : public ::testing::TestWithParam<const char*> {};

TEST_P(PlanTest, ChangesNothing) {
  Daemon daemon({.config = config("workers = 2", echo_server(GetParam()))});
  Client client(Endpoint::v4(daemon.port()));
  ASSERT_EQ(client.exchange("before"), "before");
  wait_until_settled(daemon);
  const Picture before(daemon);
  daemon.rewrite_config(kMore);

  const CommandResult planned = plan(daemon);

  EXPECT_EQ(planned.status, 0) << planned.both();
  expect_same(before, Picture(daemon));
  EXPECT_EQ(client.exchange("after"), "after");
  EXPECT_FALSE(Client::try_connect(Endpoint::v4(daemon.port(2))));
  EXPECT_EQ(answer(daemon), "hello");
}

INSTANTIATE_TEST_SUITE_P(All, PlanTest, ::testing::ValuesIn(kStrategies), strategy_name);

TEST(Plan, SaysWhatTheReloadThenDoes) {
  const TempDir modules;
  const std::string module = modules.file("reply.so");
  std::filesystem::copy_file(built("test-modules/reply_v1.so"), module);
  const std::string load = "\nload = " + module;
  Daemon daemon({.config = config("workers = 2" + load, echo_server("exclusive"))});
  std::filesystem::remove(module);
  std::filesystem::copy_file(built("test-modules/reply_v2.so"), module);
  daemon.rewrite_config(config("workers = 3\nmax_draining = 2" + load,
                               echo_server("reuseport") +
                                   echo_server("shared", "127.0.0.1:{port2}", "more") +
                                   "\n[zone z]\nsize = 64k\n"));

  json planned = plan_json(daemon);
  json done = json::parse(daemon.run_command({"-s", "reload", "--json"}).output);

  EXPECT_EQ(planned["generation_from"], 1);
  EXPECT_TRUE(planned["generation_to"].is_null());
  EXPECT_TRUE(planned["ready_ms"].is_null());
  EXPECT_EQ(done["generation_to"], 2);
  EXPECT_GE(done["ready_ms"], done["validated_ms"]);
  for (const char* only_known_then : {"generation_to", "ready_ms", "validated_ms"}) {
    planned.erase(only_known_then);
    done.erase(only_known_then);
  }
  EXPECT_EQ(planned, done);
  EXPECT_EQ(done["workers_to"], 3);
  EXPECT_EQ(done["listeners"][0]["sockets_to"], 3);
  EXPECT_EQ(done["listeners"][1]["change"], "added");
  EXPECT_EQ(done["strategies"][0]["to"], "reuseport");
  EXPECT_EQ(done["servers"][0]["directives"], json({"accept"}));
  EXPECT_EQ(done["servers"][1]["change"], "added");
  EXPECT_EQ(done["directives"], json({"max_draining", "workers"}));
  const std::map<std::string, std::string> modules_expected{{"echo", "kept"}, {"reply", "changed"}};
  std::map<std::string, std::string> modules_told;
  for (const json& each : done["modules"]) modules_told[each["name"]] = each["change"];
  EXPECT_EQ(modules_told, modules_expected);
  EXPECT_EQ(done["zones"], json({{{"name", "z"}, {"change", "new"}}}));
  const DaemonStatus now = daemon.status();
  EXPECT_EQ(now.serving()->workers.size(), 3U);
  EXPECT_EQ(now.listeners.size(), 2U);
}

TEST(Plan, IsATableForPeople) {
  Daemon daemon({.config = kEcho});
  daemon.rewrite_config(kMore);

  const CommandResult planned = plan(daemon);

  EXPECT_TRUE(planned.output.starts_with("plan: a reload of generation 1 would do this\n"));
  for (const char* line : {"  workers 2 -> 3\n", "  server more: added\n", "  zone z: new\n",
                           "  server echo: accept exclusive -> reuseport\n"}) {
    EXPECT_NE(planned.output.find(line), std::string::npos) << planned.output;
  }
}

struct Refused {
  const char* name;
  std::string config;
  std::string message;
};

void PrintTo(const Refused& row, std::ostream* out) { *out << row.name; }

class RefusedPlanTest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedPlanTest, SaysWhyExitsWithOneAndChangesNothing) {
  Daemon daemon(
      {.config = config("workers = 2", echo_server("exclusive") + "\n[zone z]\nsize = 64k\n")});
  wait_until_settled(daemon);
  const Picture before(daemon);
  daemon.rewrite_config(GetParam().config);

  const CommandResult planned = plan(daemon);

  EXPECT_EQ(planned.status, 1) << planned.both();
  EXPECT_NE(planned.errors.find(GetParam().message), std::string::npos) << planned.both();
  EXPECT_NE(planned.errors.find("plan: a reload would be refused; nothing has been changed\n"),
            std::string::npos)
      << planned.both();
  expect_same(before, Picture(daemon));
  EXPECT_EQ(answer(daemon), "hello");
}

INSTANTIATE_TEST_SUITE_P(
    All, RefusedPlanTest,
    ::testing::Values(
        Refused{"directive", config("workers = many", echo_server("exclusive")),
                "[drover] workers: "},
        Refused{"missing_module", config("load = nowhere", echo_server("exclusive")),
                "load = nowhere: "},
        Refused{"value_that_a_module_refuses",
                config("load = " + built("test-modules/configured.so"),
                       "\n[server web]\nlisten = 127.0.0.1:{port}\nprotocol = configured\n"
                       "configured.lines = 100\n"),
                "configured.lines: \"100\" is out of range"},
        Refused{"module_of_another_contract",
                config("load = " + built("test-modules/mismatched_other_abi.so"),
                       echo_server("exclusive")),
                "mismatched_other_abi"},
        Refused{"module_that_hangs",
                config("ready_timeout = 300ms\nload = " + built("test-modules/hanging.so"),
                       echo_server("exclusive")),
                "did not finish within ready_timeout while loading module hanging"},
        Refused{"size_of_a_zone",
                config("", echo_server("exclusive") + "\n[zone z]\nsize = 128k\n"),
                "128k differs from 64k"}),
    [](const auto& row) { return row.param.name; });

// The plan's validator hangs meanwhile.
TEST(Plan, HoldsUpNeitherAReloadNorAStop) {
  Daemon daemon({.config = kEcho});
  daemon.rewrite_config(config("ready_timeout = 1m\nload = " + built("test-modules/hanging.so"),
                               echo_server("exclusive")));
  std::thread asker([&daemon] { static_cast<void>(plan(daemon)); });
  EXPECT_TRUE(wait_until([&] { return daemon.processes().size() == 4; }));

  EXPECT_EQ(daemon.reload(kEcho).status, 0);
  EXPECT_EQ(daemon.status().serving()->number, 2U);

  EXPECT_EQ(daemon.stop(SIGTERM), 0);
  asker.join();
  EXPECT_TRUE(daemon.wait_gone()) << "its validator as well";
}

// SIGHUP, which stands for a reload where there is no control socket, would not plan it.
TEST(Plan, IsNotAReloadWhereNobodyAnswers) {
  Daemon daemon({.config = "[drover]\npid = {dir}/drover.pid\nload = echo\nworkers = 1\n" +
                           echo_server("exclusive"),
                 .wait_ready = false});
  ASSERT_TRUE(daemon.wait_for_log("serving: generation=1"));

  const CommandResult planned = plan(daemon);
  EXPECT_EQ(planned.status, 1);
  EXPECT_EQ(daemon.run_command({"-s", "reload"}).status, 0);

  ASSERT_TRUE(daemon.wait_for_log("serving: generation="));
  ASSERT_TRUE(wait_until([&] { return daemon.workers_of(2).size() == 1; }));
  EXPECT_EQ(daemon.workers_of(3).size(), 0U) << "the plan was a reload";
}

TEST(Plan, IsRefusedWithAnotherCommand) {
  Daemon daemon({.config = kEcho});

  const CommandResult stop = daemon.run_command({"-s", "stop", "--plan"});

  EXPECT_EQ(stop.status, 2);
  EXPECT_EQ(stop.errors, "drover: --plan: only with -s reload\n");
  EXPECT_EQ(answer(daemon), "hello");
}

TEST(ReloadReport, IsOneLineOfTheLogWhoeverAskedForTheReload) {
  Daemon daemon({.config = kEcho});
  EXPECT_FALSE(daemon.log_contains("reload report: ")) << "nothing was reloaded";

  const CommandResult asked = daemon.run_command({"-s", "reload", "--json"});
  EXPECT_TRUE(daemon.log_contains("info master"));
  EXPECT_TRUE(daemon.log_contains("reload report: " + asked.output)) << asked.output;

  daemon.signal_master(SIGHUP);
  EXPECT_TRUE(daemon.wait_for_log(R"(reload report: {"generation_from":2,"generation_to":3,)"));
}

TEST(ReloadReport, HasNoNameInJsonThatTheManualDoesNotTell) {
  Daemon daemon({.config = kEcho});
  daemon.rewrite_config(kMore);

  expect_all_in_manual(daemon.run_command({"-s", "reload", "--json"}).output, 20);
}

TEST(ReloadReport, ComesWithTheAnswer) {
  Daemon daemon({.config = kEcho});

  const CommandResult reload = daemon.reload(kMore);

  EXPECT_TRUE(reload.output.starts_with("reloaded: generation 2\n  workers 2 -> 3\n"))
      << reload.output;
  EXPECT_NE(reload.output.find("ready after "), std::string::npos);
}

// Nothing serves after WINCH: everything is new.
TEST(ReloadReport, AfterADrainComparesWithNothing) {
  Daemon daemon({.config = kEcho, .daemonize = true});
  daemon.signal_master(SIGWINCH);
  ASSERT_TRUE(wait_until([&] { return daemon.workers().empty(); }));

  EXPECT_EQ(plan(daemon).status, 1);
  const json done = json::parse(daemon.run_command({"-s", "reload", "--json"}).output);

  EXPECT_TRUE(done["generation_from"].is_null());
  EXPECT_EQ(done["workers_from"], 0);
  EXPECT_EQ(done["workers_to"], 2);
  EXPECT_EQ(answer(daemon), "hello");
}

}  // namespace
}  // namespace drover::test

// A module's own directives in the real binary: what is good reaches the module, what is not is
// told by -t, a start and a reload while the running daemon goes on.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

namespace drover::test {
namespace {

std::string configured(const std::string& lines) {
  return config("workers = 2\nload = " + built("test-modules/configured.so"),
                "\n[server web]\nlisten = 127.0.0.1:{port}\nprotocol = configured\n" + lines);
}

const std::string kGood = configured("configured.lines = 7\n");
const std::string kDefaults =
    "greeting=good day\nlines=7\nroom=65536\npatience=2000\nloud=no\ncolour=1\nroot=\n";

std::string ask(Daemon& daemon) {
  Client client(Endpoint::v4(daemon.port()));
  client.send_all("which?");
  std::string answer;
  while (answer.find("root=") == std::string::npos || answer.back() != '\n')
    answer += client.receive(1);
  return answer;
}

TEST(ModuleDirectives, ReachTheModule) {
  Daemon daemon({.config = configured("configured.greeting = how do you do?\n"
                                      "configured.lines = 99\nconfigured.room = 1m\n"
                                      "configured.patience = 1500ms\nconfigured.loud = on\n"
                                      "configured.colour = red\nconfigured.root = www\n")});

  EXPECT_EQ(ask(daemon),
            "greeting=how do you do?\nlines=99\nroom=1048576\npatience=1500\n"
            "loud=yes\ncolour=0\nroot=" +
                daemon.file("www") + "\n");
}

TEST(ModuleDirectives, HaveTheirDefaultsAndChangeWithAReload) {
  Daemon daemon({.config = kGood});
  ASSERT_EQ(ask(daemon), kDefaults);

  const CommandResult reload = daemon.reload(configured("configured.lines = 8\n"));

  EXPECT_EQ(reload.status, 0) << reload.both();
  // The former generation may accept for as long as its order to drain is under way.
  EXPECT_TRUE(wait_until([&] { return ask(daemon).find("lines=8\n") != std::string::npos; }));
}

TEST(ModuleDirectives, AreSetByTheCommandLineToo) {
  Daemon daemon({.config = kGood, .arguments = {"-g", "web.configured.lines=9"}});

  EXPECT_NE(ask(daemon).find("lines=9\n"), std::string::npos);
}

TEST(ModuleDirectives, AreListedAfterThoseOfTheCore) {
  Daemon daemon({.config = kGood, .wait_ready = false});

  // A folder without the modules that hang or crash.
  write_file(daemon.file("configured.so"), read_file(built("test-modules/configured.so")));

  const CommandResult result =
      daemon.run_command({"--directives", "-g", "drover.module_dir=" + daemon.dir()});

  EXPECT_EQ(result.status, 0) << result.both();
  const std::size_t core = result.output.find("server\tlisten\t");
  const std::size_t ours =
      result.output.find("server\tconfigured.room\tsize\t1k to 1m\t64k\ta size\n");
  ASSERT_NE(core, std::string::npos) << result.both();
  ASSERT_NE(ours, std::string::npos) << result.both();
  EXPECT_LT(core, ours);
}

TEST(ModuleDirectives, OfATableThatCannotBeRefuseTheModule) {
  const std::string module = built("test-modules/bad_directives.so");
  Daemon daemon({.config = kGood});

  const CommandResult reload = daemon.reload(config("load = " + module, echo_server("exclusive")));

  EXPECT_EQ(reload.status, 1);
  EXPECT_NE(reload.both().find("module bad_directives (" + module +
                               "): directive limit: has the "
                               "minimum 9, above the maximum 1\n"),
            std::string::npos)
      << reload.both();
  EXPECT_EQ(ask(daemon), kDefaults);
}

struct BadLines {
  const char* name;
  std::string lines;                  // of the server; its section is line 8, these begin at 11
  std::vector<std::string> messages;  // what is said, to the ends of lines; {conf} is the file
};

void PrintTo(const BadLines& row, std::ostream* out) { *out << row.name; }

std::vector<BadLines> bad_lines() {
  return {
      {"range",
       "configured.lines = 100\n",
       {"{conf}:11: [server web] configured.lines: \"100\" is out of range; write a number from 1 "
        "to 99\n"}},
      {"missing",
       "",
       {"{conf}:8: [server web] configured.lines: is missing; write configured.lines = and 1 to "
        "99\n"}},
      {"several",
       "configured.lines = 1\nconfigured.colour = pink\nconfigured.lout = on\n",
       {"{conf}:12: [server web] configured.colour: \"pink\" is not known; write red, green or "
        "blue\n",
        "{conf}:13: [server web] configured.lout: unknown directive; did you mean "
        "configured.loud?\n"}},
      {"twice",
       "configured.lines = 1\nconfigured.lines = 2\n",
       {"{conf}:12: [server web] configured.lines: is already set at {conf}:11; remove one of the "
        "two\n"}},
      {"validate",
       "configured.lines = 1\nconfigured.loud = on\nconfigured.colour = blue\n",
       {"{conf}:8: server web: module configured refused its configuration: blue is never loud\n"}},
      {"crash",
       "configured.lines = 1\nconfigured.greeting = crash\n",
       {"the validator was killed by signal 6 (SIGABRT) while module configured checked server "
        "web\n"}},
  };
}

class BadModuleDirectiveTest : public ::testing::TestWithParam<BadLines> {};

TEST_P(BadModuleDirectiveTest, IsNamedByTestStartAndReloadAndTheRunningDaemonGoesOn) {
  Daemon daemon({.config = kGood});
  ASSERT_EQ(ask(daemon), kDefaults);
  const std::string bad = configured(GetParam().lines);
  daemon.rewrite_config(bad);

  const CommandResult results[] = {
      daemon.run_command({"-t"}),
      daemon.run_command({"-F", "-g", "drover.pid=none", "-g", "drover.control=none"}),
      daemon.reload(bad)};

  for (const CommandResult& result : results) {
    EXPECT_EQ(result.status, 1) << result.both();
    for (const std::string& message : GetParam().messages) {
      const std::string text = replace_all(message, "{conf}", daemon.config_path());
      EXPECT_NE(result.both().find(text), std::string::npos) << result.both();
    }
  }
  EXPECT_EQ(ask(daemon), kDefaults);
  EXPECT_EQ(daemon.status().serving()->number, 1U);
}

INSTANTIATE_TEST_SUITE_P(All, BadModuleDirectiveTest, ::testing::ValuesIn(bad_lines()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover::test

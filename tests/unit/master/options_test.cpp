#include "master/options.h"

#include <getopt.h>
#include <gtest/gtest.h>

namespace drover {
namespace {

Result<Options> parse(std::vector<std::string> words) {
  words.insert(words.begin(), "drover");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  optind = 0;  // getopt(3): begin anew
  return parse_options(static_cast<int>(words.size()), argv.data());
}

TEST(Options, RunInTheBackgroundWithTheInstalledConfigurationByDefault) {
  auto options = parse({});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->action, Options::Action::kRun);
  EXPECT_FALSE(options->is_foreground);
  EXPECT_EQ(options->config.path, "/etc/drover/drover.conf");
}

TEST(Options, TakeDirectivesFromTheCommandLine) {
  auto options = parse({"-g", "drover.workers=2", "-g", "server echo.listen=127.0.0.1:1"});
  ASSERT_TRUE(options.ok());
  ASSERT_EQ(options->config.overrides.size(), 2U);
  EXPECT_EQ(options->config.overrides[0].key, "workers");
  EXPECT_EQ(options->config.overrides[1].section, "server echo");
  EXPECT_EQ(options->config.overrides[1].value, "127.0.0.1:1");
}

TEST(Options, AskForTheStatusAsJson) {
  auto options = parse({"-s", "status", "--json"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->action, Options::Action::kCommand);
  EXPECT_EQ(options->command, "status");
  EXPECT_TRUE(options->is_json);
}

TEST(Options, AskForThePlanOfAReload) {
  auto options = parse({"-s", "reload", "--plan", "--json"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->command, "reload");
  EXPECT_TRUE(options->is_plan);
  EXPECT_TRUE(options->is_json);
  EXPECT_FALSE(parse({"-s", "reload"})->is_plan);
}

TEST(Options, RefuseAFlagOfAnotherCommand) {
  EXPECT_EQ(parse({"-s", "stop", "--plan"}).error().message(), "--plan: only with -s reload");
  EXPECT_EQ(parse({"--plan"}).error().message(), "--plan: only with -s reload");
  EXPECT_EQ(parse({"-s", "stop", "--json"}).error().message(),
            "--json: only with -s status or -s reload");
}

TEST(Options, RefuseAnUnknownCommandNamingTheKnownOnes) {
  EXPECT_EQ(parse({"-s", "restart"}).error().message(),
            "-s restart: unknown; one of stop, quit, reload, reopen, upgrade, status");
}

TEST(Options, RefuseAStrayWord) {
  EXPECT_EQ(parse({"start"}).error().message(), "unexpected argument \"start\"; see drover -h");
}

}  // namespace
}  // namespace drover

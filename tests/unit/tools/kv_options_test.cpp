#include "tools/kv/options.h"

#include <gtest/gtest.h>

#include "tools/kv/commands.h"

namespace drover::kv {
namespace {

using Words = std::vector<std::string>;

TEST(KvOptions, HaveDefaults) {
  const Options options = parse_options({"get", "key"}).value();

  EXPECT_EQ(options.server.to_string(), "127.0.0.1:7010");
  EXPECT_EQ(options.timeout, std::chrono::seconds(5));
  EXPECT_EQ(options.auth_file, "");
  EXPECT_EQ(options.command->name, "get");
  EXPECT_EQ(options.arguments, Words{"key"});
}

TEST(KvOptions, AreTakenBeforeTheCommand) {
  const Options options =
      parse_options({"-s", "unix:/run/x.sock", "--auth-file=token", "-t", "250ms", "stats"})
          .value();

  EXPECT_EQ(options.server.to_string(), "unix:/run/x.sock");
  EXPECT_EQ(options.auth_file, "token");
  EXPECT_EQ(options.timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(options.command->name, "stats");
}

TEST(KvOptions, LeaveKeysAndValuesThatBeginWithADashAlone) {
  EXPECT_EQ(parse_options({"get", "-s"}).value().arguments, Words{"-s"});
  EXPECT_EQ(parse_options({"set", "--", "-"}).value().arguments, (Words{"--", "-"}));
  EXPECT_EQ(parse_options({"incr", "k", "-5", "-6"}).value().arguments, (Words{"k", "-5", "-6"}));
}

TEST(KvOptions, OfACommandStandBeforeOrBehindItsArguments) {
  for (const Words& words : {Words{"scan", "--count", "/a"}, Words{"scan", "/a", "--count"}}) {
    const Options options = parse_options(words).value();
    EXPECT_TRUE(options.is_count);
    EXPECT_EQ(options.arguments, Words{"/a"});
  }
  EXPECT_EQ(parse_options({"scan", "--", "--count"}).value().arguments, Words{"--count"});
  EXPECT_EQ(parse_options({"load", "-q", "-"}).value().arguments, Words{"-"});
}

TEST(KvOptions, DescribeABench) {
  const Options options =
      parse_options({"bench", "-c", "2", "--depth=3", "-n", "4", "--seconds", "5", "--keys", "6",
                     "--value-size", "7", "--mix", "get=1,set=2,lpm=3", "--json"})
          .value();

  EXPECT_TRUE(options.is_json);
  EXPECT_EQ(options.bench.connections, 2);
  EXPECT_EQ(options.bench.depth, 3);
  EXPECT_EQ(options.bench.requests, 4);
  EXPECT_EQ(options.bench.duration, std::chrono::seconds(5));
  EXPECT_EQ(options.bench.keys, 6);
  EXPECT_EQ(options.bench.value_bytes, 7);
  EXPECT_EQ(options.bench.mix.get, 1);
  EXPECT_EQ(options.bench.mix.set, 2);
  EXPECT_EQ(options.bench.mix.lpm, 3);
}

TEST(KvOptions, AskForHelpAndVersion) {
  EXPECT_EQ(parse_options({"-h"}).value().action, Options::Action::kHelp);
  EXPECT_EQ(parse_options({"--version"}).value().action, Options::Action::kVersion);
}

TEST(KvOptions, HelpNamesEveryCommand) {
  for (const Command& command : commands())
    EXPECT_NE(usage().find("\n  " + std::string(command.name) + " "), std::string::npos)
        << command.name;
}

struct Refusal {
  const char* name;
  Words words;
  std::string why;
};

void PrintTo(const Refusal& row, std::ostream* out) { *out << row.name; }

class KvOptionsRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(KvOptionsRefusal, SaysWhy) {
  const Result<Options> options = parse_options(GetParam().words);

  ASSERT_FALSE(options.ok());
  EXPECT_EQ(options.error().message(), GetParam().why);
}

INSTANTIATE_TEST_SUITE_P(
    All, KvOptionsRefusal,
    ::testing::Values(
        Refusal{"nothing", {}, "a command is missing; see drover-kv -h"},
        Refusal{"no_command", {"-t", "1s"}, "a command is missing; see drover-kv -h"},
        Refusal{"unknown_command", {"got"}, "\"got\": unknown command; see drover-kv -h"},
        Refusal{"unknown_flag", {"-Z", "get", "k"}, "see drover-kv -h"},
        Refusal{"unknown_flag_of_a_command", {"bench", "-Z"}, "see drover-kv -h"},
        Refusal{"too_few", {"set", "k"}, "usage: drover-kv set KEY VALUE"},
        Refusal{"too_many", {"get", "a", "b"}, "usage: drover-kv get KEY"},
        Refusal{"no_address",
                {"-s", "somewhere", "ping"},
                "--server: \"somewhere\" is not an address; write 127.0.0.1:7007, [::1]:7007, "
                "*:7007 or unix:/run/x.sock"},
        Refusal{"no_time", {"-t", "0", "ping"}, "--timeout: must be longer than 0"},
        Refusal{"no_connections",
                {"bench", "-c", "0"},
                "--connections: \"0\" is not a number from 1 to 1000"},
        Refusal{"no_mix",
                {"bench", "--mix", "get=0"},
                "--mix: \"get=0\" is not a mix; write for example get=80,set=15,lpm=5"},
        Refusal{"another_mix",
                {"bench", "--mix", "get=1,put=2"},
                "--mix: \"put=2\" is not a mix; write for example get=80,set=15,lpm=5"}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover::kv

// Which tables of directives refuse a module, which values a server may say, and with which words.
#include "worker/module_directives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <utility>

#include "worker/module_config.h"

namespace drover {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* kWords[] = {"red", "green", "blue", nullptr};
constexpr const char* kNoWords[] = {nullptr};

DirectiveRow row(const char* name, drover_directive_type type, const char* default_text) {
  return {sizeof(DirectiveRow), name, type, default_text, 0, 0, nullptr, "what it is for"};
}

DirectiveRow bounded(DirectiveRow row, std::int64_t min, std::int64_t max) {
  row.min = min;
  row.max = max;
  return row;
}

std::vector<DirectiveRow> good_rows() {
  DirectiveRow colour = row("colour", DROVER_CHOICE, "green");
  colour.words = kWords;
  return {row("title", DROVER_TEXT, "good day"),
          bounded(row("lines", DROVER_NUMBER, nullptr), 1, 99),
          bounded(row("room", DROVER_SIZE, "64k"), 1024, 1 << 20),
          bounded(row("patience", DROVER_DURATION, "2s"), 1, 60'000),
          row("loud", DROVER_FLAG, "off"),
          colour,
          row("root", DROVER_PATH, "")};
}

Result<DirectiveTable> read_rows(const std::vector<DirectiveRow>& rows) {
  struct ::drover_module module {};
  module.name = "web";
  module.directives = rows.data();
  module.directive_count = rows.size();
  return read_directive_table(module);
}

struct BadRow {
  const char* name;
  void (*spoil)(std::vector<DirectiveRow>&);
  const char* error;
};
void PrintTo(const BadRow& row, std::ostream* out) { *out << row.name; }

class BadRowTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadRowTest, RefusesTheModuleWithTheReason) {
  std::vector<DirectiveRow> rows = good_rows();
  GetParam().spoil(rows);

  auto table = read_rows(rows);

  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message(), GetParam().error);
}

using Rows = std::vector<DirectiveRow>;

INSTANTIATE_TEST_SUITE_P(
    Table, BadRowTest,
    testing::Values(
        BadRow{"nameless", [](Rows& rows) { rows[1].name = nullptr; },
               "directive 2: its name is missing or not letters, digits, - and _"},
        BadRow{"odd_name", [](Rows& rows) { rows[0].name = "a.b"; },
               "directive 1: its name is missing or not letters, digits, - and _"},
        BadRow{"twice", [](Rows& rows) { rows[4].name = "title"; },
               "directive title: is there twice"},
        BadRow{"type",
               [](Rows& rows) {
                 const unsigned unknown = 99;
                 std::memcpy(&rows[2].type, &unknown, sizeof unknown);
               },
               "directive room: has the unknown type 99"},
        BadRow{"short", [](Rows& rows) { rows[0].size = 8; },
               "its directives say they have 8 bytes, expected 64"},
        BadRow{"sizes", [](Rows& rows) { rows[3].size = 72; },
               "directive 4: says it has 72 bytes, the first has 64"},
        BadRow{"min_above_max", [](Rows& rows) { rows[1].min = 100; },
               "directive lines: has the minimum 100, above the maximum 99"},
        BadRow{"negative", [](Rows& rows) { rows[1].min = -1; },
               "directive lines: has the minimum -1, below 0"},
        BadRow{"bounds_of_a_flag", [](Rows& rows) { rows[4].max = 1; },
               "directive loud: has bounds, which a flag does not take"},
        BadRow{"default_out_of_range", [](Rows& rows) { rows[2].default_text = "2m"; },
               "directive room: default: \"2m\" is out of range; write a size from 1k to 1m"},
        BadRow{"default_of_a_flag", [](Rows& rows) { rows[4].default_text = "yes"; },
               "directive loud: default: \"yes\" is neither on nor off; write on or off"},
        BadRow{"empty_default", [](Rows& rows) { rows[5].default_text = ""; },
               "directive colour: default: \"\" is not known; write red, green or blue"},
        BadRow{"words_of_a_text", [](Rows& rows) { rows[0].words = kWords; },
               "directive title: has words, but is no DROVER_CHOICE"},
        BadRow{"no_words", [](Rows& rows) { rows[5].words = nullptr; },
               "directive colour: has no words to choose from"},
        BadRow{"default_of_a_server",
               [](Rows& rows) { rows[6] = row("root", DROVER_SERVER, "main"); },
               "directive root: has a default, but a module does not know which servers there are"},
        BadRow{"not_one_word", [](Rows& rows) { rows[5].words = kNoWords; },
               "directive colour: has no words to choose from"}),
    [](const auto& row) { return row.param.name; });

TEST(DirectiveTable, OfAModuleThatNamesNoRowsButCountsThemIsRefused) {
  struct ::drover_module module {};
  module.name = "web";
  module.directive_count = 3;

  auto table = read_directive_table(module);

  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message(), "says it has 3 directives, and names none");
}

TEST(DirectiveTable, OfANewerSdkIsReadByItsOwnDistance) {
  struct Longer {
    DirectiveRow row;
    void* what_is_new;
  };
  std::vector<Longer> rows;
  for (const DirectiveRow& good : good_rows()) rows.push_back({good, nullptr});
  for (Longer& longer : rows) longer.row.size = sizeof longer;
  struct ::drover_module module {};
  module.name = "web";
  module.directives = &rows.data()->row;
  module.directive_count = rows.size();

  auto table = read_directive_table(module);

  ASSERT_TRUE(table.ok()) << table.error().message();
  ASSERT_EQ(table->rows.size(), rows.size());
  EXPECT_STREQ(table->rows.back().name, "root");
}

TEST(DirectiveTable, IsListedAsTheTablesOfTheCoreAre) {
  EXPECT_EQ(list_directives(read_rows(good_rows()).value()),
            "server\tweb.title\ttext\tany\tgood day\twhat it is for\n"
            "server\tweb.lines\tnumber\t1 to 99\t-\twhat it is for\n"
            "server\tweb.room\tsize\t1k to 1m\t64k\twhat it is for\n"
            "server\tweb.patience\tduration\t1ms to 1m\t2s\twhat it is for\n"
            "server\tweb.loud\tflag\ton or off\toff\twhat it is for\n"
            "server\tweb.colour\tchoice\tred, green or blue\tgreen\twhat it is for\n"
            "server\tweb.root\tpath\tany\t-\twhat it is for\n");
}

// The lines of one server, "name = value" at line 10, 11, ...
ReadModuleConfig read_lines(const std::vector<std::pair<std::string, std::string>>& lines,
                            const Rows& rows = good_rows()) {
  ServerSettings server;
  server.name = "s";
  server.source = {"d.conf", 5};
  for (const auto& [name, value] : lines) {
    const int line = 10 + static_cast<int>(server.module_directives.size());
    server.module_directives.push_back({name, value, {"d.conf", line}});
  }
  Settings settings;
  settings.prefix = "/srv";
  settings.servers = {server};
  return read_module_config(read_rows(rows).value(), server, settings);
}

struct BadValue {
  const char* name;
  std::string directive;
  std::string value;
  std::string error;
};
void PrintTo(const BadValue& row, std::ostream* out) { *out << row.name; }

class BadValueTest : public testing::TestWithParam<BadValue> {};

TEST_P(BadValueTest, IsOneErrorThatSaysWhatWouldBeRight) {
  const auto read = read_lines({{"web.lines", "1"}, {GetParam().directive, GetParam().value}});

  EXPECT_THAT(read.errors, ElementsAre("d.conf:11: [server s] " + GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Value, BadValueTest,
    testing::Values(
        BadValue{"number", "web.lines", "many",
                 "web.lines: \"many\" is not a number; write a number from 1 to 99"},
        BadValue{"number_too_large", "web.lines", "100",
                 "web.lines: \"100\" is out of range; write a number from 1 to 99"},
        BadValue{"number_too_small", "web.lines", "0",
                 "web.lines: \"0\" is out of range; write a number from 1 to 99"},
        BadValue{"size", "web.room", "1x",
                 "web.room: \"1x\" is not a size; write bytes or for example 64k, 256m or 1g"},
        BadValue{"size_out_of_range", "web.room", "1023",
                 "web.room: \"1023\" is out of range; write a size from 1k to 1m"},
        BadValue{"duration", "web.patience", "soon",
                 "web.patience: \"soon\" is not a duration; write for example 250ms, 75s, 5m, "
                 "1h30m or 2d"},
        BadValue{"duration_out_of_range", "web.patience", "0",
                 "web.patience: \"0\" is out of range; write a duration from 1ms to 1m"},
        BadValue{"flag", "web.loud", "yes",
                 "web.loud: \"yes\" is neither on nor off; write on or off"},
        BadValue{"choice", "web.colour", "pink",
                 "web.colour: \"pink\" is not known; write red, green or blue"},
        BadValue{"path", "web.root", "\"/srv\"",
                 "web.root: \"\"/srv\"\" has quotes, which are not special here; write it without "
                 "them"},
        BadValue{"no_number", "web.room", "",
                 "web.room: has no value; write web.room = and 1k to 1m"},
        BadValue{"no_text", "web.title", "",
                 "web.title: has no value; write web.title = and a text"},
        BadValue{"misspelt", "web.color", "red",
                 "web.color: unknown directive; did you mean web.colour?"},
        BadValue{"unknown", "web.elephants", "1",
                 "web.elephants: unknown directive; see drover --directives"}),
    [](const auto& row) { return row.param.name; });

TEST(ModuleConfig, TakesTheNameOfAServerThatThereIs) {
  const Rows rows{row("behind", DROVER_SERVER, "")};

  EXPECT_EQ(read_lines({{"web.behind", "s"}}, rows).config.find("behind")->text, "s");
  EXPECT_EQ(read_lines({}, rows).config.find("behind")->text, "");
  EXPECT_THAT(read_lines({{"web.behind", "elsewhere"}}, rows).errors,
              ElementsAre("d.conf:10: [server s] web.behind: \"elsewhere\" is no server of this "
                          "configuration; write a [server elsewhere]"));
}

TEST(ModuleConfig, ReportsEveryError) {
  const auto read = read_lines({{"web.room", "1"}, {"web.loud", "1"}});

  EXPECT_THAT(
      read.errors,
      ElementsAre("d.conf:10: [server s] web.room: \"1\" is out of range; write a size from 1k to "
                  "1m",
                  "d.conf:11: [server s] web.loud: \"1\" is neither on nor off; write on or off",
                  "d.conf:5: [server s] web.lines: is missing; write web.lines = and 1 to 99"));
}

TEST(ModuleConfig, SaysSoWhenTheModuleHasNoDirectives) {
  EXPECT_THAT(read_lines({{"web.x", "1"}}, {}).errors,
              ElementsAre("d.conf:10: [server s] web.x: unknown directive; module web has none of "
                          "its own"));
}

TEST(ModuleConfig, HoldsWhatTheServerSays) {
  const auto read = read_lines({{"web.title", "a b; \"c\""},
                                {"web.lines", "99"},
                                {"web.room", "2k"},
                                {"web.patience", "1m"},
                                {"web.loud", "on"},
                                {"web.colour", "blue"},
                                {"web.root", "www/../pages"}});

  ASSERT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(read.config.find("title")->text, "a b; \"c\"");
  EXPECT_EQ(read.config.find("title")->number, std::nullopt);
  EXPECT_EQ(read.config.find("lines")->number, 99);
  EXPECT_EQ(read.config.find("room")->number, 2048);
  EXPECT_EQ(read.config.find("room")->text, "2k");
  EXPECT_EQ(read.config.find("patience")->number, 60'000);
  EXPECT_EQ(read.config.find("loud")->number, 1);
  EXPECT_EQ(read.config.find("colour")->number, 2);
  EXPECT_EQ(read.config.find("colour")->text, "blue");
  EXPECT_EQ(read.config.find("root")->text, "/srv/pages");
}

TEST(ModuleConfig, HoldsTheDefaultsOfTheRest) {
  const auto read = read_lines({{"web.lines", "1"}});

  ASSERT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(read.config.find("title")->text, "good day");
  EXPECT_EQ(read.config.find("room")->number, 64 << 10);
  EXPECT_EQ(read.config.find("colour")->number, 1);
  EXPECT_EQ(read.config.find("root")->text, "");
  EXPECT_EQ(read.config.find("elephants"), nullptr);
}

TEST(ModuleConfig, PutsARelativeDefaultPathUnderThePrefix) {
  const auto read = read_lines({}, {row("root", DROVER_PATH, "www")});

  EXPECT_EQ(read.config.find("root")->text, "/srv/www");
}

TEST(ModuleConfig, TakesAnyNumberWithoutBounds) {
  const std::string largest = std::to_string(std::numeric_limits<std::int64_t>::max());

  const auto read = read_lines({{"web.n", largest}}, {row("n", DROVER_NUMBER, "0")});

  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_EQ(read.config.find("n")->number, std::numeric_limits<std::int64_t>::max());
}

}  // namespace
}  // namespace drover

// The directive tables are the truth: man/drover.conf.5 describes every directive and none that
// does not exist, with its range and default; conf/drover.conf shows every directive at its
// default; the examples are valid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "common/config.h"
#include "common/config_file.h"
#include "common/directives.h"
#include "common/directives_listen.h"

namespace drover {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kSource = DROVER_SOURCE_DIR;
const std::string kManual = kSource + "/man/drover.conf.5";
const std::string kConfig = kSource + "/conf/drover.conf";

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// A row of any table, without its type.
struct Row {
  std::string section;  // "drover", "server", "zone", "listen"
  std::string name;
  std::string type;
  std::string range;
  std::string default_value;
};

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  std::istringstream lines(list_directives());
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Row row;
    std::getline(fields, row.section, '\t');
    std::getline(fields, row.name, '\t');
    std::getline(fields, row.type, '\t');
    std::getline(fields, row.range, '\t');
    std::getline(fields, row.default_value, '\t');
    rows.push_back(row);
  }
  return rows;
}

// "drover/workers" -> what the manual says about it.
using Manual = std::map<std::string, std::string>;

// The section that a heading of the manual opens, or the one before.
std::string section_at(const std::string& line, const std::string& before) {
  if (line == ".Sh THE [drover] SECTION") return "drover";
  if (line == ".Sh THE [server NAME] SECTION") return "server";
  if (line == ".Sh THE [zone NAME] SECTION") return "zone";
  if (line == ".Ss Options of listen") return "listen";
  return line.starts_with(".Sh") || line.starts_with(".Ss") ? "" : before;
}

// The name in ".It Ic name ..." or, for options of listen, ".It Cm name ...".
std::string item_at(const std::string& line, const std::string& section) {
  const std::string mark = section == "listen" ? ".It Cm " : ".It Ic ";
  if (section.empty() || !line.starts_with(mark)) return "";
  return split_words(line.substr(mark.size())).front();
}

Manual read_manual() {
  Manual manual;
  std::string section;
  std::vector<std::string> open;  // items under one text
  bool has_text = false;
  for (const std::string& line : lines_of(kManual)) {
    section = section_at(line, section);
    const std::string item = item_at(line, section);
    if (item.empty()) {
      has_text = true;
      for (const std::string& key : open) manual[key] += line + " ";
      if (line == ".El") open.clear();
      continue;
    }
    if (has_text) open.clear();
    has_text = false;
    open.push_back(section + "/" + item);
    EXPECT_TRUE(manual.emplace(open.back(), "").second) << open.back() << " is described twice";
  }
  return manual;
}

TEST(Manual, DescribesEveryDirectiveAndNoOther) {
  Manual manual = read_manual();
  for (const Row& row : all_rows()) {
    EXPECT_EQ(manual.erase(row.section + "/" + row.name), 1U)
        << row.section << "/" << row.name << " is not in " << kManual;
  }
  for (const auto& [key, text] : manual) ADD_FAILURE() << key << " does not exist";
}

TEST(Manual, TellsEveryDefault) {
  const Manual manual = read_manual();
  for (const Row& row : all_rows()) {
    if (row.default_value == "-") continue;
    const auto item = manual.find(row.section + "/" + row.name);
    ASSERT_NE(item, manual.end()) << row.name;
    EXPECT_THAT(item->second, testing::ContainsRegex("Default: " + row.default_value + "[.,]"))
        << row.name;
  }
}

TEST(Manual, TellsEveryRange) {
  const Manual manual = read_manual();
  for (const Row& row : all_rows()) {
    const bool is_measured = row.type == "number" || row.type == "size" || row.type == "duration";
    if (!is_measured) continue;
    const auto item = manual.find(row.section + "/" + row.name);
    ASSERT_NE(item, manual.end()) << row.name;
    EXPECT_THAT(item->second, HasSubstr(row.range.substr(0, row.range.find(',')))) << row.name;
  }
}

// conf/drover.conf with its commented directives and sections put in.
std::string uncommented() {
  std::string text;
  for (const std::string& line : lines_of(kConfig)) {
    const bool is_sleeping = line.size() > 1 && line[0] == ';' && line[1] != ' ';
    text += line.substr(is_sleeping ? 1 : 0) + "\n";
  }
  return text;
}

TEST(SampleConfig, ShowsEveryDirectiveAtItsDefault) {
  const ConfigText text = parse_config_text(uncommented(), kConfig);
  EXPECT_THAT(text.errors, IsEmpty());
  std::map<std::string, std::string> shown;
  for (const ConfigLine& line : text.lines) {
    if (line.kind == ConfigLine::Kind::kSection) continue;
    shown[split_words(line.section).front() + "/" + line.key] = line.value;
  }
  for (const Row& row : all_rows()) {
    if (row.section == "listen") continue;
    const auto line = shown.find(row.section + "/" + row.name);
    if (line == shown.end()) {
      ADD_FAILURE() << row.section << "/" << row.name << " is not in " << kConfig;
    } else if (row.default_value != "-") {
      EXPECT_EQ(line->second, row.default_value) << row.name;
    }
  }
}

TEST(SampleConfig, IsValidWithEverythingPutIn) {
  const std::string path = testing::TempDir() + "drover-uncommented.conf";
  std::ofstream(path) << uncommented();
  const ConfigResult result = load_config({path, "", {}});
  std::filesystem::remove(path);
  EXPECT_THAT(result.errors, IsEmpty());
}

TEST(SampleConfig, ServesOneEchoAndIsOtherwiseTheDefaults) {
  const ConfigResult result = load_config({kConfig, "", {}});
  ASSERT_THAT(result.errors, IsEmpty());
  EXPECT_THAT(result.warnings, IsEmpty());

  Settings expected;
  expected.load = {"echo"};
  ServerSettings& echo = expected.servers.emplace_back();
  echo.name = "echo";
  echo.protocol = "echo";
  echo.listens.emplace_back().address = Address::parse("127.0.0.1:7007").value();
  EXPECT_EQ(dump_settings(result.settings), dump_settings(expected));
}

TEST(ExampleConfigs, AreValid) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kSource + "/conf/examples")) {
    const ConfigResult result = load_config({entry.path().string(), "", {}});
    EXPECT_THAT(result.errors, IsEmpty());
    EXPECT_THAT(result.warnings, IsEmpty());
    ++count;
  }
  EXPECT_GT(count, 0);
}

}  // namespace
}  // namespace drover

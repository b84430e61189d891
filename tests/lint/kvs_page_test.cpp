// The tables of the key-value module are the truth: man/drover-kvs.7 describes every directive with
// its default, every request with its code, every status and every number that is counted, and no
// other.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "modules/kvs/config.h"
#include "modules/kvs/kv1/requests.h"
#include "modules/kvs/metrics.h"

namespace kvs {
namespace {

const std::string kPage = DROVER_SOURCE_DIR "/man/drover-kvs.7";

// What follows ".It Ic kvs.zone ..." until the next item, by the item's line behind `mark`.
std::map<std::string, std::string> items_marked(const std::string& mark) {
  std::map<std::string, std::string> items;
  std::string* text = nullptr;
  std::ifstream page(kPage);
  EXPECT_TRUE(page.is_open()) << kPage;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with(".It") || line.starts_with(".El")) text = nullptr;
    if (line.starts_with(mark)) {
      text = &items[line.substr(mark.size())];
      EXPECT_TRUE(text->empty()) << line << " is described twice";
    } else if (text != nullptr) {
      text->append(line).append(" ");
    }
  }
  return items;
}

std::string first_word(const std::string& line) { return line.substr(0, line.find(' ')); }

std::string hex(unsigned code) {
  char text[3];
  std::snprintf(text, sizeof text, "%02X", code);
  return text;
}

TEST(KvsPage, DescribesEveryDirectiveWithItsDefaultAndNoOther) {
  std::map<std::string, std::string> described;
  for (const auto& [line, text] : items_marked(".It Ic kvs.")) described[first_word(line)] = text;
  for (const drover::Directive& row : kDirectives) {
    const auto item = described.find(row.name);
    ASSERT_NE(item, described.end()) << row.name;
    const std::string_view value = row.default_text == nullptr ? "" : row.default_text;
    const std::string default_text = row.default_text == nullptr ? "Required."
                                     : value.empty()             ? "Default: none"
                                                     : "Default: " + std::string(value) + ".";
    EXPECT_NE(item->second.find(default_text), std::string::npos) << row.name;
    described.erase(item);
  }
  for (const auto& [name, text] : described) ADD_FAILURE() << "kvs." << name << " does not exist";
}

TEST(KvsPage, DescribesEveryRequestWithItsCodeAndNoOther) {
  std::set<std::string> described;
  for (const auto& [line, text] : items_marked(".It Cm ")) {
    const std::size_t code = line.find(" No ");
    if (code != std::string::npos) described.insert(line.substr(0, code) + line.substr(code + 3));
  }
  std::set<std::string> served;
  for (unsigned type = 0; type < 0x80; ++type) {
    const kv1::Row* row = kv1::row_of(static_cast<std::uint8_t>(type));
    if (row != nullptr) served.insert(std::string(row->name) + " " + hex(type));
  }
  EXPECT_EQ(described, served);
  EXPECT_GT(served.size(), 20U);
}

TEST(KvsPage, NamesEveryNumberThatIsCounted) {
  std::ifstream page(kPage);
  std::stringstream text;
  text << page.rdbuf();
  for (const drover::Metric& metric : kMetrics) {
    const bool is_named =
        std::regex_search(text.str(), std::regex(std::string("Cm ") + metric.name + "[ \n]"));
    EXPECT_TRUE(is_named) << metric.name;
  }
}

}  // namespace
}  // namespace kvs

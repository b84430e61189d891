// Reading a module's manual page: its items, and whether it describes the module's tables.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <span>
#include <sstream>
#include <string>

#include "modules/sdk/module.hpp"

namespace drover::test {

// What follows ".It Ic kvs.zone ..." until the next item, by the item's line behind `mark`.
inline std::map<std::string, std::string> items_marked(const std::string& page_path,
                                                       const std::string& mark) {
  std::map<std::string, std::string> items;
  std::string* text = nullptr;
  std::ifstream page(page_path);
  EXPECT_TRUE(page.is_open()) << page_path;
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

inline std::string first_word(const std::string& line) { return line.substr(0, line.find(' ')); }

// `prefix` is the module's, "kvs.".
inline void expect_directives(const std::string& page_path, const std::string& prefix,
                              std::span<const Directive> rows) {
  std::map<std::string, std::string> described;
  for (const auto& [line, text] : items_marked(page_path, ".It Ic " + prefix))
    described[first_word(line)] = text;
  for (const Directive& row : rows) {
    const auto item = described.find(row.name);
    ASSERT_NE(item, described.end()) << row.name;
    const std::string_view value = row.default_text == nullptr ? "" : row.default_text;
    const std::string default_text = row.default_text == nullptr ? "Required."
                                     : value.empty()             ? "Default: none"
                                                     : "Default: " + std::string(value) + ".";
    EXPECT_NE(item->second.find(default_text), std::string::npos) << row.name;
    described.erase(item);
  }
  for (const auto& [name, text] : described) ADD_FAILURE() << prefix << name << " does not exist";
}

inline void expect_metrics(const std::string& page_path, std::span<const Metric> rows) {
  std::ifstream page(page_path);
  std::stringstream text;
  text << page.rdbuf();
  for (const Metric& metric : rows) {
    const bool is_named =
        std::regex_search(text.str(), std::regex(std::string("Cm ") + metric.name + "[ \n]"));
    EXPECT_TRUE(is_named) << metric.name;
  }
}

}  // namespace drover::test

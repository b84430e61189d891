// The names in the JSON that a command prints are those that drover(8) lists: scripts rely on them.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/support/files.h"

namespace drover::test {

inline void collect_names(const nlohmann::json& value, std::set<std::string>& names) {
  for (const auto& [name, inner] : value.items()) {
    if (value.is_object()) names.insert(name);
    if (inner.is_structured()) collect_names(inner, names);
  }
}

inline void expect_all_in_manual(const std::string& text, size_t at_least) {
  const std::string manual = read_file(std::string(DROVER_SOURCE_DIR) + "/man/drover.8");
  std::set<std::string> names;
  collect_names(nlohmann::json::parse(text), names);
  EXPECT_GE(names.size(), at_least);
  for (const std::string& name : names) {
    EXPECT_NE(manual.find("\n.It Cm " + name + "\n"), std::string::npos)
        << name << " is not in drover(8)";
  }
}

}  // namespace drover::test

// Keys that are their own values, and what a search for the longest of them answers.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "modules/kvs/store/store.h"

namespace kvs::testing {

inline std::string longest(Store& store, std::string_view path, Match match = Match::kByte) {
  const auto found = store.longest_prefix(path, match);
  if (found.answer != Answer::kOk) return std::string("(") + to_string(found.answer) + ")";
  EXPECT_EQ(found.item.value, found.item.key);
  return std::string(found.item.key);
}

inline void store_all(Store& store, std::initializer_list<std::string_view> keys) {
  for (const auto key : keys)
    ASSERT_EQ(store.write({.key = key, .value = key}).answer, Answer::kOk);
}

}  // namespace kvs::testing

// A table that a module exports: an array whose rows begin with their size, which may be shorter or
// longer than this binary's.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "common/result.h"

namespace drover {

struct RowRules {
  const char* row;    // "directive"
  const char* table;  // "directives"
  std::size_t least;  // bytes: all fields of the first ABI
  std::size_t most;   // rows
};

inline constexpr std::size_t kLargestRow = 4096;  // beyond it `size` is no size

template <class Row>
[[nodiscard]] Status check_rows(const Row* first, std::size_t count, const RowRules& rules) {
  if (first == nullptr || count > rules.most) {
    return Error(
        fmt::format("says it has {} {}, {}", count, rules.table,
                    first == nullptr ? "and names none" : fmt::format("at most {}", rules.most)));
  }
  const std::size_t size = first->size;
  if (size < rules.least || size > kLargestRow || size % alignof(Row) != 0) {
    return Error(
        fmt::format("its {} say they have {} bytes, expected {}", rules.table, size, sizeof(Row)));
  }
  return Done{};
}

// The rows in this binary's size: what a module's row lacks is zero.
template <class Row>
[[nodiscard]] Result<std::vector<Row>> copy_rows(const Row* first, std::size_t count,
                                                 const RowRules& rules) {
  std::vector<Row> rows(count);
  if (count == 0) return rows;
  DROVER_TRY_DO(check_rows(first, count, rules));
  const std::size_t stride = first->size;
  for (std::size_t index = 0; index < count; ++index) {
    const auto* bytes = reinterpret_cast<const char*>(first) + index * stride;
    std::memcpy(&rows[index], bytes, std::min(stride, sizeof(Row)));
    if (rows[index].size == stride) continue;
    return Error(fmt::format("{} {}: says it has {} bytes, the first has {}", rules.row, index + 1,
                             rows[index].size, stride));
  }
  return rows;
}

// Of an enum's value as a number: a module in C may have anything there, which an enum must not
// hold.
template <class Enum>
[[nodiscard]] unsigned as_number(const Enum& value) {
  unsigned number = 0;
  static_assert(sizeof number == sizeof value);
  std::memcpy(&number, &value, sizeof number);
  return number;
}

}  // namespace drover

#include "worker/module_directives.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

#include "common/config.h"
#include "common/directive_text.h"
#include "common/directive_values.h"
#include "worker/module_rows.h"

namespace drover {
namespace {

constexpr RowRules kRules{.row = "directive",
                          .table = "directives",
                          .least = offsetof(DirectiveRow, help) + sizeof(char*),
                          .most = 1024};

struct TypeOfValue {
  const char* name;          // as the core's tables have it
  std::int64_t largest = 0;  // 0: no number, and no bounds
};
constexpr TypeOfValue kTypes[] = {{"text"},
                                  {"number", std::numeric_limits<std::int64_t>::max()},
                                  {"size", kLargestSize},
                                  {"duration", kLongestDuration.count()},
                                  {"flag"},
                                  {"choice"},
                                  {"path"},
                                  {"server"}};

const TypeOfValue& type_of(const DirectiveRow& row) { return kTypes[row.type]; }

bool has_bounds(const DirectiveRow& row) { return row.min != 0 || row.max != 0; }
std::int64_t largest(const DirectiveRow& row) {
  return has_bounds(row) ? std::min(row.max, type_of(row).largest) : type_of(row).largest;
}
NumberRange number_range(const DirectiveRow& row) { return {row.min, largest(row), nullptr}; }
SizeRange size_range(const DirectiveRow& row) { return {row.min, largest(row), false}; }
DurationRange duration_range(const DirectiveRow& row) {
  return {Millis(row.min), Millis(largest(row))};
}

std::vector<std::string> words_of(const DirectiveRow& row) {
  std::vector<std::string> words;
  for (const char* const* word = row.words; *word != nullptr; ++word) words.emplace_back(*word);
  return words;
}

// For people; empty: any.
std::string describe_range(const DirectiveRow& row) {
  if (row.type == DROVER_FLAG) return "on or off";
  if (row.type == DROVER_CHOICE) return join_choices(words_of(row));
  if (!has_bounds(row)) return "";
  if (row.type == DROVER_NUMBER) return describe(number_range(row));
  if (row.type == DROVER_SIZE) return describe(size_range(row));
  return describe(duration_range(row));
}

Result<std::int64_t> parse_integer(const DirectiveRow& row, const std::string& text) {
  switch (row.type) {
    case DROVER_NUMBER:
      return parse_number_in(text, number_range(row));
    case DROVER_SIZE:
      return parse_size_in(text, size_range(row));
    case DROVER_DURATION: {
      DROVER_TRY(const Millis duration, parse_duration_in(text, duration_range(row)));
      return duration.count();
    }
    case DROVER_FLAG: {
      DROVER_TRY(const bool flag, parse_flag(text));
      return std::int64_t{flag};
    }
    default: {
      DROVER_TRY(const std::size_t index, parse_choice(text, words_of(row)));
      return static_cast<std::int64_t>(index);
    }
  }
}

Status check_words(const DirectiveRow& row) {
  const bool is_choice = row.type == DROVER_CHOICE;
  if (!is_choice && row.words != nullptr) return Error("has words, but is no DROVER_CHOICE");
  if (is_choice && (row.words == nullptr || *row.words == nullptr))
    return Error("has no words to choose from");
  return Done{};
}

Status check_bounds(const DirectiveRow& row) {
  if (!has_bounds(row)) return Done{};
  if (type_of(row).largest == 0)
    return Error(fmt::format("has bounds, which a {} does not take", type_of(row).name));
  if (row.min < 0) return Error(fmt::format("has the minimum {}, below 0", row.min));
  if (row.min > largest(row))
    return Error(fmt::format("has the minimum {}, above the maximum {}", row.min, largest(row)));
  return Done{};
}

Status check_default(const DirectiveRow& row) {
  if (row.default_text == nullptr) return Done{};
  if (row.type == DROVER_SERVER && *row.default_text != '\0')
    return Error("has a default, but a module does not know which servers there are");
  if (auto value = default_of(row, "/"); !value) return std::move(value).error().in("default");
  return Done{};
}

Status check_row(const DirectiveRow& row) {
  if (as_number(row.type) >= std::size(kTypes))
    return Error(fmt::format("has the unknown type {}", as_number(row.type)));
  DROVER_TRY_DO(check_words(row));
  DROVER_TRY_DO(check_bounds(row));
  return check_default(row);
}

}  // namespace

Result<DirectiveTable> read_directive_table(const struct ::drover_module& module) {
  DirectiveTable table{module.name, {}};
  DROVER_TRY(const std::vector<DirectiveRow> rows,
             copy_rows(module.directives, module.directive_count, kRules));
  for (std::size_t index = 0; index < rows.size(); ++index) {
    DirectiveRow row = rows[index];
    if (row.name == nullptr || !is_plain_name(row.name)) {
      return Error(fmt::format("directive {}: its name is missing or not letters, digits, - and _",
                               index + 1));
    }
    if (row.help == nullptr) row.help = "";
    const std::string where = fmt::format("directive {}", row.name);
    if (table.find(row.name) != nullptr) return Error("is there twice").in(where);
    if (Status checked = check_row(row); !checked) return std::move(checked).error().in(where);
    table.rows.push_back(row);
  }
  return table;
}

const DirectiveRow* DirectiveTable::find(std::string_view name) const {
  const auto found = std::ranges::find_if(rows, [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

Result<DirectiveValue> parse_directive(const DirectiveRow& row, const std::string& text,
                                       const std::string& prefix) {
  if (row.type == DROVER_TEXT || row.type == DROVER_SERVER) return DirectiveValue{text, {}};
  if (row.type == DROVER_PATH) {
    DROVER_TRY(std::string path, parse_path(text, prefix));
    return DirectiveValue{std::move(path), {}};
  }
  DROVER_TRY(const std::int64_t number, parse_integer(row, text));
  return DirectiveValue{text, number};
}

// An empty default is no value; nobody can write one.
Result<DirectiveValue> default_of(const DirectiveRow& row, const std::string& prefix) {
  const bool may_be_empty =
      row.type == DROVER_TEXT || row.type == DROVER_PATH || row.type == DROVER_SERVER;
  if (may_be_empty && *row.default_text == '\0') return DirectiveValue{};
  return parse_directive(row, row.default_text, prefix);
}

std::string describe_value(const DirectiveRow& row) {
  const std::string range = describe_range(row);
  return range.empty() ? std::string("a ") + type_of(row).name : range;
}

std::string list_directives(const DirectiveTable& table) {
  std::string lines;
  for (const DirectiveRow& row : table.rows) {
    lines += format_directive({.section = "server",
                               .name = table.module + "." + row.name,
                               .type = type_of(row).name,
                               .range = describe_range(row),
                               .default_value = row.default_text == nullptr ? "" : row.default_text,
                               .help = row.help});
  }
  return lines;
}

}  // namespace drover

// A module's table of directives: checked when the module is loaded, listed by `drover
// --directives`, and the parser of its values. What a server says is read by
// worker/module_config.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "modules/sdk/drover_module.h"

namespace drover {

using DirectiveRow = struct ::drover_directive;

// What a module offers, checked. The rows' strings lie in the module's shared object.
struct DirectiveTable {
  std::string module;              // whose directives begin with "MODULE."
  std::vector<DirectiveRow> rows;  // of this binary's size; what a module's row lacks is zero

  [[nodiscard]] const DirectiveRow* find(std::string_view name) const;  // null: there is none
};

// An error says which row is wrong and why: the module must be refused.
[[nodiscard]] Result<DirectiveTable> read_directive_table(const struct ::drover_module& module);

struct DirectiveValue {
  std::string text;                    // as written; a path absolute
  std::optional<std::int64_t> number;  // none for texts and paths
};
// An error says what is wrong with `text` and what would be right.
[[nodiscard]] Result<DirectiveValue> parse_directive(const DirectiveRow& row,
                                                     const std::string& text,
                                                     const std::string& prefix);
// Of a row that has a default.
[[nodiscard]] Result<DirectiveValue> default_of(const DirectiveRow& row, const std::string& prefix);

// What to write: "1 to 9", or "a size" where any will do.
[[nodiscard]] std::string describe_value(const DirectiveRow& row);

// A line for each row, as those of the core's tables are (common/config.h).
[[nodiscard]] std::string list_directives(const DirectiveTable& table);

}  // namespace drover

// Keys and values as lines of text: "key<TAB>value", what `dump` writes and `load` reads.
//
//   \\ backslash   \t tab   \n newline   \r carriage return   \xNN any byte, two hexadecimal digits
//
// The writer escapes a backslash, control characters and DEL, and leaves every other byte as it is:
// UTF-8 stays readable. The reader takes any byte but tab (in a key) and newline as itself, and
// refuses a backslash before anything else, so that a typing error is not loaded as something else.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace drover::kv {

struct Pair {
  std::string key;
  std::string value;
};

[[nodiscard]] std::string escaped(std::string_view bytes);
[[nodiscard]] Result<std::string> unescaped(std::string_view text);

// Without the newline. The first tab is between the two. A key that is empty, or longer than
// KV1 can say, is refused, a value too.
[[nodiscard]] Result<Pair> parse_line(std::string_view line);
[[nodiscard]] std::string to_line(std::string_view key, std::string_view value);

}  // namespace drover::kv

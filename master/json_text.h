// Writing JSON: strings that may hold anything, and lists.
#pragma once

#include <string>
#include <string_view>

namespace drover {

// In quotes and escaped. What is not UTF-8 becomes U+FFFD, a byte at a time: names of files and
// what processes have written need not be text.
[[nodiscard]] std::string quoted(std::string_view text);

// Each item's text, with commas between.
template <class Range, class ToText>
std::string joined(const Range& range, ToText to_text) {
  std::string out;
  bool is_first = true;
  for (const auto& item : range) {
    if (!is_first) out += ',';
    is_first = false;
    out += to_text(item);
  }
  return out;
}

}  // namespace drover

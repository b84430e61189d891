// What the test modules that obey lines have in common.
#pragma once

#include <cstddef>
#include <string_view>

// Calls use(line) for each whole line, without its end. Returns how many bytes they were: what
// on_data answers.
template <class Use>
std::size_t for_each_line(std::string_view bytes, Use use) {
  std::size_t consumed = 0;
  for (std::size_t end = 0; (end = bytes.find('\n', consumed)) != std::string_view::npos;) {
    use(bytes.substr(consumed, end - consumed));
    consumed = end + 1;
  }
  return consumed;
}

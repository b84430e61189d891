#include "master/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace drover {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

// RFC 3629: neither the long way to write a short one, nor surrogates, nor what is above U+10FFFF.
bool is_allowed_second(std::uint8_t first, std::uint8_t second) {
  if (first == 0xe0) return second >= 0xa0;
  if (first == 0xed) return second <= 0x9f;
  if (first == 0xf0) return second >= 0x90;
  if (first == 0xf4) return second <= 0x8f;
  return true;
}

// Of the character that `text` begins with, in bytes; 0: it is none.
std::size_t length_of_character(std::string_view text) {
  const std::uint8_t first = byte_at(text, 0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length || !is_allowed_second(first, byte_at(text, 1))) return 0;
  const std::string_view rest = text.substr(1, length - 1);
  const bool goes_on = std::ranges::all_of(
      rest, [](char c) { return (static_cast<std::uint8_t>(c) & 0xc0) == 0x80; });
  return goes_on ? length : 0;
}

std::string escaped(std::string_view character) {
  const char c = character[0];
  if (c == '"' || c == '\\') return {'\\', c};
  const std::uint8_t byte = byte_at(character, 0);
  const bool is_control = byte < 0x20 || byte == 0x7f;  // the second for the log, which escapes it
  return is_control ? fmt::format("\\u{:04x}", byte) : std::string(character);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = length_of_character(text);
    if (length == 0) {
      out += kReplacement;
    } else {
      out += escaped(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out + '"';
}

}  // namespace drover

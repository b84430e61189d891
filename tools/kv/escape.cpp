#include "tools/kv/escape.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "common/directive_text.h"
#include "modules/kvs/kv1/frame.h"

namespace drover::kv {
namespace {

constexpr std::string_view kNamed = "\\tnr";          // after the backslash
constexpr std::string_view kNamedBytes = "\\\t\n\r";  // and what they stand for

struct Escape {
  char byte = 0;
  std::size_t length = 0;
};

std::optional<Escape> read_escape(std::string_view text) {
  const std::size_t named = text.size() < 2 ? kNamed.npos : kNamed.find(text[1]);
  if (named != kNamed.npos) return Escape{kNamedBytes[named], 2};
  if (text.size() < 4 || text[1] != 'x') return std::nullopt;
  unsigned byte = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 4, byte, 16);
  if (error != std::errc{} || end != text.data() + 4) return std::nullopt;
  return Escape{static_cast<char>(byte), 4};
}

void append_escaped(std::string& out, char c) {
  const std::size_t named = kNamedBytes.find(c);
  const auto byte = static_cast<unsigned char>(c);
  if (named != kNamedBytes.npos) {
    out += '\\';
    out += kNamed[named];
  } else if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\x{:02x}", byte);
  } else {
    out += c;
  }
}

}  // namespace

std::string escaped(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) append_escaped(out, c);
  return out;
}

Result<std::string> unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view plain = text.substr(0, text.find('\\'));
    out += plain;
    text.remove_prefix(plain.size());
    if (text.empty()) break;
    const std::optional<Escape> escape = read_escape(text);
    if (!escape)
      return Error(quote(text.substr(0, 4)) + " is no escape; write \\\\, \\t, \\n, \\r or \\xNN");
    out += escape->byte;
    text.remove_prefix(escape->length);
  }
  return out;
}

Result<Pair> parse_line(std::string_view line) {
  const std::size_t tab = line.find('\t');
  if (tab == line.npos) return Error("no tab between key and value");
  DROVER_TRY(std::string key, unescaped(line.substr(0, tab)));
  DROVER_TRY(std::string value, unescaped(line.substr(tab + 1)));
  if (key.empty()) return Error("the key is empty");
  if (key.size() > kvs::kv1::kLongestKey)
    return Error(
        fmt::format("a key of {} bytes; the longest has {}", key.size(), kvs::kv1::kLongestKey));
  if (value.size() > kvs::kv1::kLongestValue)
    return Error(fmt::format("a value of {} bytes; the longest has {}", value.size(),
                             kvs::kv1::kLongestValue));
  return Pair{std::move(key), std::move(value)};
}

std::string to_line(std::string_view key, std::string_view value) {
  return escaped(key) + '\t' + escaped(value) + '\n';
}

}  // namespace drover::kv

#include "common/directive_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "common/directive_text.h"

namespace drover {
namespace {

// "...; write <what>", with the word for zero where there is one.
Error out_of_range(std::string_view text, const std::string& kind, const std::string& range) {
  return Error(fmt::format("{} is out of range; write a {} from {}", quote(text), kind, range));
}

std::string unquoted_hint(std::string_view text) {
  return quote(text) + " has quotes, which are not special here; write it without them";
}

}  // namespace

std::string describe(const NumberRange& range) {
  const std::string numbers = fmt::format("{} to {}", range.min, range.max);
  return range.zero_word == nullptr ? numbers : numbers + ", or " + range.zero_word;
}

Result<std::int64_t> parse_number_in(std::string_view text, const NumberRange& range) {
  if (range.zero_word != nullptr && text == range.zero_word) return std::int64_t{0};
  auto number = parse_number(text);
  if (!number) {
    return Error(quote(text) + " is not a number; write a number from " + describe(range));
  }
  if (*number < range.min || *number > range.max) {
    return out_of_range(text, "number", describe(range));
  }
  return number;
}

std::string print_number(std::int64_t number, const NumberRange& range) {
  return number == 0 && range.zero_word != nullptr ? range.zero_word : std::to_string(number);
}

std::string describe(const SizeRange& range) {
  const std::string sizes = format_size(range.min) + " to " + format_size(range.max);
  return range.or_zero ? sizes + ", or 0" : sizes;
}

Result<std::int64_t> parse_size_in(std::string_view text, const SizeRange& range) {
  DROVER_TRY(const std::int64_t size, parse_size(text));
  if (size == 0 && range.or_zero) return size;
  if (size < range.min || size > range.max) return out_of_range(text, "size", describe(range));
  return size;
}

std::string describe(const DurationRange& range) {
  return format_duration(range.min) + " to " + format_duration(range.max);
}

Result<Millis> parse_duration_in(std::string_view text, const DurationRange& range) {
  DROVER_TRY(const Millis duration, parse_duration(text));
  if (duration < range.min || duration > range.max) {
    return out_of_range(text, "duration", describe(range));
  }
  return duration;
}

Result<bool> parse_flag(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
  return Error(quote(text) + " is neither on nor off; write on or off");
}

Result<std::string> parse_word(std::string_view text) {
  if (text.find('"') != std::string_view::npos) return Error(unquoted_hint(text));
  if (split_words(text).size() != 1) return Error(quote(text) + " has blanks; write one word");
  return std::string(text);
}

Result<std::size_t> parse_choice(std::string_view text, const std::vector<std::string>& choices) {
  const auto found = std::find(choices.begin(), choices.end(), text);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  return Error(quote(text) + " is not known; write " + join_choices(choices));
}

std::string resolve_path(const std::string& path, const std::string& prefix) {
  return (std::filesystem::path(prefix) / path).lexically_normal().string();
}

Result<std::string> parse_path(std::string_view text, const std::string& prefix) {
  if (text.empty()) return Error("has no path; write a path");
  if (text.front() == '"' || text.front() == '\'') return Error(unquoted_hint(text));
  return resolve_path(std::string(text), prefix);
}

Result<int> parse_mode(std::string_view text) {
  int mode = 0;
  for (const char c : text) {
    const bool is_octal = c >= '0' && c <= '7';
    mode = mode * 8 + (c - '0');
    if (!is_octal || mode > 0777) mode = -1;
    if (mode < 0) break;
  }
  if (text.empty() || mode < 0) {
    return Error(quote(text) +
                 " is not a mode; write octal permissions from 0 to 0777, such as 0660");
  }
  return mode;
}

std::string print_mode(int mode) { return fmt::format("{:04o}", mode); }

}  // namespace drover

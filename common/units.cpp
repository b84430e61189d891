#include "common/units.h"

#include <array>
#include <charconv>
#include <limits>

#include "common/directive_text.h"

namespace drover {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Largest first: the order in which a compound duration names them.
constexpr std::array<Unit, 5> kDurationUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 3> kSizeUnits = {{{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t count_while(std::string_view text, bool digits) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count]) == digits) ++count;
  return count;
}

Error not_a_duration(std::string_view text) {
  return Error(quote(text) + " is not a duration; write for example 250ms, 75s, 5m, 1h30m or 2d");
}

Error duration_too_long(std::string_view text) {
  return Error(quote(text) + " is too long; the longest duration is 3650d");
}

// The place of `name` in kDurationUnits, or its size.
std::size_t find_duration_unit(std::string_view name) {
  std::size_t i = 0;
  while (i < kDurationUnits.size() && kDurationUnits[i].name != name) ++i;
  return i;
}

}  // namespace

Result<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const bool all_digits = !text.empty() && count_while(text, true) == text.size();
  if (!all_digits) return Error(quote(text) + " is not a number; write decimal digits only");
  if (std::from_chars(text.data(), end, number).ec != std::errc{}) {
    return Error(quote(text) + " is too large a number");
  }
  return number;
}

Result<milliseconds> parse_duration(std::string_view text) {
  std::int64_t total = 0;
  std::size_t next_unit = 0;  // units before this one would be out of order or twice
  std::string_view rest = text;
  if (rest.empty()) return not_a_duration(text);
  while (!rest.empty()) {
    const std::size_t digits = count_while(rest, true);
    if (digits == 0) return not_a_duration(text);
    auto number = parse_number(rest.substr(0, digits));
    if (!number) return duration_too_long(text);
    rest.remove_prefix(digits);
    std::string_view name = rest.substr(0, count_while(rest, false));
    rest.remove_prefix(name.size());
    const bool is_bare = name.empty() && digits == text.size();
    const std::size_t unit = find_duration_unit(is_bare ? "s" : name);
    if (unit < next_unit || unit == kDurationUnits.size()) return not_a_duration(text);
    const std::int64_t factor = kDurationUnits[unit].factor;
    if (*number > (kLongestDuration.count() - total) / factor) return duration_too_long(text);
    total += *number * factor;
    next_unit = unit + 1;
  }
  return milliseconds(total);
}

std::string format_duration(milliseconds duration) {
  if (duration.count() == 0) return "0";
  for (const Unit& unit : kDurationUnits) {
    if (duration.count() % unit.factor != 0) continue;
    return std::to_string(duration.count() / unit.factor) + std::string(unit.name);
  }
  return {};  // not reached: 1 ms divides all
}

Result<std::int64_t> parse_size(std::string_view text) {
  const std::string help = "; write bytes or for example 64k, 256m or 1g";
  const std::size_t digits = count_while(text, true);
  if (digits == 0 || text.size() - digits > 1) return Error(quote(text) + " is not a size" + help);
  auto number = parse_number(text.substr(0, digits));
  std::int64_t factor = 1;
  if (digits < text.size()) {
    factor = 0;
    const char letter = static_cast<char>(text.back() | 0x20);  // lower case
    for (const Unit& unit : kSizeUnits) {
      if (unit.name[0] == letter) factor = unit.factor;
    }
    if (factor == 0) return Error(quote(text) + " is not a size" + help);
  }
  if (!number || *number > kLargestSize / factor) {
    return Error(quote(text) + " is too large a size");
  }
  return *number * factor;
}

std::string format_size(std::int64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (bytes == 0 || bytes % unit.factor != 0) continue;
    return std::to_string(bytes / unit.factor) + std::string(unit.name);
  }
  return std::to_string(bytes);
}

}  // namespace drover

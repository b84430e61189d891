#include "setting_numbers.hpp"

#include <charconv>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>

namespace drover::testkit {
namespace {

using Number = std::optional<std::int64_t>;

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
// Largest first, as a compound duration has them.
constexpr Unit kDurations[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizes[] = {{"g", 1 << 30}, {"m", 1 << 20}, {"k", 1 << 10},
                           {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}};

// The digits at the front, which are taken away.
Number take_digits(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

Number times(std::int64_t number, std::int64_t factor) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(number, factor, &product) ? Number() : product;
}

Number as_number(std::string_view text) {
  const Number number = take_digits(text);
  return text.empty() ? number : std::nullopt;
}

Number as_size(std::string_view text) {
  const Number number = take_digits(text);
  if (!number || text.empty()) return number;
  for (const Unit& unit : kSizes) {
    if (text == unit.name) return times(*number, unit.factor);
  }
  return std::nullopt;
}

// "1h30m": each unit at most once, the largest first; a bare number is seconds.
Number as_duration(std::string_view text) {
  if (const Number seconds = as_number(text)) return times(*seconds, 1000);
  std::int64_t total = 0;
  std::span<const Unit> units = kDurations;
  while (!text.empty()) {
    const Number number = take_digits(text);
    const std::string_view name = text.substr(0, text.find_first_of("0123456789"));
    while (!units.empty() && units.front().name != name) units = units.subspan(1);
    const Number part = number && !units.empty() ? times(*number, units.front().factor) : Number();
    if (!part || __builtin_add_overflow(total, *part, &total)) return std::nullopt;
    text.remove_prefix(name.size());
    units = units.subspan(1);
  }
  return total;
}

Number as_flag(std::string_view text) {
  if (text != "on" && text != "off") return std::nullopt;
  return text == "on" ? 1 : 0;
}

Number as_choice(const drover_directive& row, std::string_view text) {
  for (std::int64_t index = 0; row.words[index] != nullptr; ++index) {
    if (text == row.words[index]) return index;
  }
  return std::nullopt;
}

Number parsed(const drover_directive& row, std::string_view text) {
  switch (row.type) {
    case DROVER_NUMBER:
      return as_number(text);
    case DROVER_SIZE:
      return as_size(text);
    case DROVER_DURATION:
      return text.empty() ? std::nullopt : as_duration(text);
    case DROVER_FLAG:
      return as_flag(text);
    case DROVER_CHOICE:
      return as_choice(row, text);
    default:
      return 0;
  }
}

bool is_within(const drover_directive& row, std::int64_t number) {
  return (row.min == 0 && row.max == 0) || (number >= row.min && number <= row.max);
}

}  // namespace

std::int64_t number_of(const drover_directive& row, const std::string& text) {
  const Number number = parsed(row, text);
  const std::string what = std::string(row.name) + " = " + text;
  if (!number) throw std::logic_error(what + ": not what the directive takes");
  if (!is_within(row, *number)) throw std::logic_error(what + ": out of range");
  return *number;
}

}  // namespace drover::testkit

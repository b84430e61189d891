// The kinds of values that directives take: parsing with range, printing, and the words that
// --directives and the errors use for them. Apart from the tables (common/directive.h) so that each
// can be tested and fuzzed alone. The errors read "what is wrong; what would be right".
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "common/settings.h"
#include "common/units.h"

namespace drover {

// `zero_word` is how a zero is written ("auto", "off"), null when it is written 0. It is accepted
// beside the range.
struct NumberRange {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int32_t>::max();
  const char* zero_word = nullptr;
};
[[nodiscard]] Result<std::int64_t> parse_number_in(std::string_view text, const NumberRange& range);
[[nodiscard]] std::string print_number(std::int64_t number, const NumberRange& range);
[[nodiscard]] std::string describe(const NumberRange& range);

// Bytes. A zero is "no value" and allowed beside the range when `or_zero`.
struct SizeRange {
  std::int64_t min = 0;
  std::int64_t max = kLargestSize;
  bool or_zero = false;
};
[[nodiscard]] Result<std::int64_t> parse_size_in(std::string_view text, const SizeRange& range);
[[nodiscard]] std::string describe(const SizeRange& range);

struct DurationRange {
  Millis min{0};
  Millis max = kLongestDuration;
};
[[nodiscard]] Result<Millis> parse_duration_in(std::string_view text, const DurationRange& range);
[[nodiscard]] std::string describe(const DurationRange& range);

// on or off
[[nodiscard]] Result<bool> parse_flag(std::string_view text);

// One word without blanks or quotes.
[[nodiscard]] Result<std::string> parse_word(std::string_view text);

// The index in `choices` of the one that `text` is.
[[nodiscard]] Result<std::size_t> parse_choice(std::string_view text,
                                               const std::vector<std::string>& choices);

// A path, made absolute under `prefix`, without "." and "..".
[[nodiscard]] Result<std::string> parse_path(std::string_view text, const std::string& prefix);
[[nodiscard]] std::string resolve_path(const std::string& path, const std::string& prefix);

// idle:interval:count, each of which may be empty; on; off.
[[nodiscard]] Result<KeepaliveSettings> parse_keepalive(std::string_view text);
[[nodiscard]] std::string print_keepalive(const KeepaliveSettings& keepalive);

// Octal permission bits, "0660".
[[nodiscard]] Result<int> parse_mode(std::string_view text);
[[nodiscard]] std::string print_mode(int mode);

// stderr, syslog or a path, then optionally a level.
[[nodiscard]] Result<LogTarget> parse_log_target(std::string_view text, const std::string& prefix);
[[nodiscard]] std::string print_log_target(const LogTarget& target);

// off, auto, or CPU numbers and ranges: "0-3,8".
[[nodiscard]] Result<CpuAffinity> parse_cpu_affinity(std::string_view text);
[[nodiscard]] std::string print_cpu_affinity(const CpuAffinity& affinity);

}  // namespace drover

// Numbers, durations and sizes as people write them in the configuration, and back. Every parser
// refuses what does not fit, so no sum or product here can overflow; limits are far above what
// makes sense.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace drover {

inline constexpr std::chrono::milliseconds kLongestDuration = std::chrono::hours(24 * 3650);
inline constexpr std::int64_t kLargestSize = std::int64_t{1} << 50;  // bytes

// Decimal digits only, at most INT64_MAX: no sign, no blanks, no base prefix.
[[nodiscard]] Result<std::int64_t> parse_number(std::string_view text);

// "250ms", "75s", "5m", "1h30m" (largest unit first, each at most once); a bare number is seconds.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// The largest unit that divides it: 90 s is "90s", 120 s is "2m", nothing is "0".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

// Bytes: "4096", "64k", "256m", "1g", powers of 1024, either case.
[[nodiscard]] Result<std::int64_t> parse_size(std::string_view text);
[[nodiscard]] std::string format_size(std::int64_t bytes);

}  // namespace drover

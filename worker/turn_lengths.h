// How long the turns of a loop were in the last minute: the longest, and the length that 99 of a
// hundred did not exceed. A histogram of six parts of ten seconds each, of which the oldest is
// forgotten as the next begins, so a turn counts for 50 to 60 seconds. To note a turn costs a
// comparison and three stores; buckets are an eighth of a power of two wide, so a percentile is
// at most 12.5 % too high. It is looked for from the longest turn down: a worker asks ten times a
// second, mostly with a cold cache, and of a hundred turns that looks at the buckets of one.
#pragma once

#include <array>
#include <cstdint>

#include "common/settings.h"

namespace drover {

class TurnLengths {
 public:
  struct Summary {
    std::uint32_t max_us = 0;
    std::uint32_t p99_us = 0;
  };

  // `now` never goes back.
  void add(Millis now, std::uint32_t turn_us);
  // Of the last minute; all zero when there was no turn.
  [[nodiscard]] Summary summary(Millis now);

 private:
  static constexpr std::size_t kParts = 6;
  static constexpr Millis kPart{10'000};
  static constexpr std::size_t kBuckets = 240;  // of any 32-bit number
  struct Part {
    std::array<std::uint32_t, kBuckets> counts{};
    std::uint32_t max_us = 0;
    std::uint64_t turns = 0;
  };

  static std::size_t bucket_of(std::uint32_t turn_us);
  static std::uint32_t longest_in(std::size_t bucket);
  void advance(Millis now);
  [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const;
  [[nodiscard]] std::uint32_t percentile_99(std::uint32_t max_us) const;

  std::array<Part, kParts> parts_{};
  std::size_t current_ = 0;
  Millis part_ends_{0};
};

}  // namespace drover

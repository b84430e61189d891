#include "worker/turn_lengths.h"

#include <algorithm>
#include <bit>

namespace drover {
namespace {

constexpr unsigned kSubBits = 3;  // buckets in a power of two: eight
constexpr std::uint32_t kSubBuckets = 1U << kSubBits;

}  // namespace

void TurnLengths::add(Millis now, std::uint32_t turn_us) {
  if (now >= part_ends_) advance(now);
  Part& part = parts_[current_];
  ++part.counts[bucket_of(turn_us)];
  part.max_us = std::max(part.max_us, turn_us);
  ++part.turns;
}

TurnLengths::Summary TurnLengths::summary(Millis now) {
  if (now >= part_ends_) advance(now);
  Summary summary;
  for (const Part& part : parts_) summary.max_us = std::max(summary.max_us, part.max_us);
  summary.p99_us = std::min(percentile_99(summary.max_us), summary.max_us);
  return summary;
}

// After a long silence every part is of long ago.
void TurnLengths::advance(Millis now) {
  const auto over = (now - part_ends_) / kPart + 1;
  const auto cleared = std::min<std::int64_t>(over, kParts);
  for (std::int64_t i = 0; i < cleared; ++i) {
    current_ = (current_ + 1) % kParts;
    parts_[current_] = {};
  }
  part_ends_ += over * kPart;
}

// Up to seven, a bucket for each; from there eight for each power of two: the exponent, and the
// three bits behind the leading one.
std::size_t TurnLengths::bucket_of(std::uint32_t turn_us) {
  if (turn_us < kSubBuckets) return turn_us;
  const auto shift = static_cast<unsigned>(std::bit_width(turn_us)) - 1 - kSubBits;
  return shift * kSubBuckets + (turn_us >> shift);
}

std::uint32_t TurnLengths::longest_in(std::size_t bucket) {
  if (bucket < kSubBuckets) return static_cast<std::uint32_t>(bucket);
  const std::size_t shift = bucket / kSubBuckets - 1;
  const std::uint64_t leading = bucket % kSubBuckets + kSubBuckets;
  return static_cast<std::uint32_t>(((leading + 1) << shift) - 1);
}

std::uint64_t TurnLengths::count_in(std::size_t bucket) const {
  std::uint64_t count = 0;
  for (const Part& part : parts_) count += part.counts[bucket];
  return count;
}

std::uint32_t TurnLengths::percentile_99(std::uint32_t max_us) const {
  std::uint64_t turns = 0;
  for (const Part& part : parts_) turns += part.turns;
  std::uint64_t longer = 0;
  for (std::size_t i = bucket_of(max_us); i > 0; --i) {
    longer += count_in(i);
    if (longer > turns / 100) return longest_in(i);
  }
  return 0;
}

}  // namespace drover

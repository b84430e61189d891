// Latencies by the hundred million in a few KiB: up to 63 ns each has a place of its own, above
// that 32 places for each power of two, so that what is read is at most 3 % above what was
// recorded.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace drover::kv {

class LatencyHistogram {
 public:
  void record(std::uint64_t ns) {
    ++counts_[place_of(ns)];
    ++count_;
    if (ns > highest_) highest_ = ns;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t highest() const { return highest_; }
  // Nanoseconds that this part of all (0..1) did not exceed; 0 when there are none.
  [[nodiscard]] std::uint64_t percentile(double part) const;

 private:
  static constexpr unsigned kPlacesBits = 5;
  static constexpr std::size_t kPlaces = 32;  // for each power of two

  static std::size_t place_of(std::uint64_t ns) {
    if (ns < 2 * kPlaces) return ns;
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - kPlacesBits - 1;
    return kPlaces * shift + (ns >> shift);
  }
  static std::uint64_t highest_of(std::size_t place);

  std::array<std::uint64_t, kPlaces * 60> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t highest_ = 0;
};

}  // namespace drover::kv

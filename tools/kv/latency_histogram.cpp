#include "tools/kv/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace drover::kv {

std::uint64_t LatencyHistogram::highest_of(std::size_t place) {
  if (place < 2 * kPlaces) return place;
  const std::size_t shift = place / kPlaces - 1;
  const std::uint64_t mantissa = place - kPlaces * shift;
  return ((mantissa + 1) << shift) - 1;
}

std::uint64_t LatencyHistogram::percentile(double part) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t place = 0; place < counts_.size(); ++place) {
    seen += counts_[place];
    if (seen >= wanted && seen > 0) return std::min(highest_of(place), highest_);
  }
  return 0;
}

}  // namespace drover::kv

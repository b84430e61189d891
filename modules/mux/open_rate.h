// How fast a peer may open streams: a bucket of tokens, which holds a second's worth.
#pragma once

#include <algorithm>
#include <cstdint>

#include "modules/mux/time.h"

namespace mux {

class OpenRate {
 public:
  // 0: no limit.
  OpenRate(std::uint32_t opens_per_second, Time now)
      : per_second_(opens_per_second), tokens_(kWhole * opens_per_second), filled_at_(now) {}

  [[nodiscard]] bool take(Time now) {
    if (per_second_ == 0) return true;
    fill(now);
    if (tokens_ < kWhole) return false;
    tokens_ -= kWhole;
    return true;
  }

 private:
  static constexpr std::uint64_t kWhole = 1000;  // of one token, so that a millisecond is not lost

  void fill(Time now) {
    // A second fills it, and what is longer could overflow.
    const auto passed = std::clamp((now - filled_at_).count(), Time::rep{0}, Time::rep{1000});
    tokens_ = std::min<std::uint64_t>(tokens_ + static_cast<std::uint64_t>(passed) * per_second_,
                                      kWhole * per_second_);
    filled_at_ = now;
  }

  std::uint64_t per_second_;
  std::uint64_t tokens_;
  Time filled_at_;
};

}  // namespace mux

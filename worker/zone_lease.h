// The rules of leases in zones as plain values. A lease is a word in the zone's header, changed by
// compare-and-swap: a holder that was killed at any instruction holds it until its deadline and no
// longer, and one that was stopped learns that it has lost it when it tries to keep it. (Not the
// lease of accept = mutex, worker/accept/lease.h, whose holders are slots of one generation.)
#pragma once

#include <cstdint>

#include "common/settings.h"

namespace drover {

inline constexpr Millis kLongestZoneLease{60'000};

struct ZoneLease {
  int pid = 0;         // 0: nobody
  Millis deadline{0};  // CLOCK_MONOTONIC

  // Linux has no pid of more than 22 bits (PID_MAX_LIMIT); 42 bits of milliseconds are 139 years.
  static constexpr unsigned kPidBits = 22;

  [[nodiscard]] static ZoneLease unpack(std::uint64_t word) {
    const auto pid = word & ((std::uint64_t{1} << kPidBits) - 1);
    return {static_cast<int>(pid), Millis{static_cast<std::int64_t>(word >> kPidBits)}};
  }
  [[nodiscard]] std::uint64_t pack() const {
    return static_cast<std::uint64_t>(deadline.count()) << kPidBits |
           static_cast<std::uint64_t>(pid);
  }
  // Anybody may take it. A deadline that nobody can have set is garbage, and must not lock
  // everybody out for ever.
  [[nodiscard]] bool is_free(Millis now) const {
    return pid == 0 || deadline <= now || deadline > now + kLongestZoneLease;
  }
};

}  // namespace drover

// What HELLO says of a server beside its limits. Never renumbered.
#pragma once

#include <cstdint>

namespace kvs::kv1 {

inline constexpr std::uint16_t kVersion = 1;

enum Feature : std::uint32_t {
  kNeedsAuth = 1U << 0,        // AUTH comes first
  kMatchesSegments = 1U << 1,  // LPM matches by segment unless it is told otherwise
  kEvicts = 1U << 2,           // a full store removes items to make room
  kWatches = 1U << 3,          // WATCH and UNWATCH are served
  kSnapshots = 1U << 4,        // SNAPSHOT is served
};

}  // namespace kvs::kv1

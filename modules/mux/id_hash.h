// Peers choose the numbers of their streams, and a table that knows them by the number itself could
// be made to put all of them in one place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mux {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014), from a point that the peer does not know.
struct IdHash {
  std::uint64_t seed = 0;
  std::size_t operator()(std::uint32_t id) const {
    std::uint64_t value = seed + 0x9e3779b97f4a7c15U * (std::uint64_t{id} + 1);
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  }
};

}  // namespace mux

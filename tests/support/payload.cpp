#include "tests/support/payload.h"

#include <algorithm>

namespace drover::test {

// splitmix64 (Steele, Lea, Flood 2014): a good hash of a counter, which is all that is needed here.
std::uint64_t Payload::word(std::uint64_t index) const {
  std::uint64_t z = seed_ + (index + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::string Payload::bytes(std::uint64_t offset, size_t size) const {
  std::string out(size, '\0');
  std::uint64_t current = word(offset / 8);
  for (size_t i = 0; i < size; ++i) {
    const std::uint64_t at = offset + i;
    if (at % 8 == 0) current = word(at / 8);
    out[i] = static_cast<char>(current >> (at % 8 * 8));
  }
  return out;
}

size_t Payload::matching(std::uint64_t offset, std::string_view got) const {
  const std::string expected = bytes(offset, got.size());
  const auto [mine, theirs] = std::mismatch(expected.begin(), expected.end(), got.begin());
  static_cast<void>(theirs);
  return static_cast<size_t>(mine - expected.begin());
}

}  // namespace drover::test

// Which tails there are in a directory: what lets a longest-prefix search leave out the lengths at
// which no key ends. For each directory (a prefix up to and including a '/', or the empty one) a
// marker holds the hash of the prefix and a bitmap of the lengths of the keys' tails behind it.
//
// Markers only promise too much, never too little: a bit is set before its key is published, and
// none is cleared while the store is in use, though its last key may be gone. (A marker is of no
// shard: the keys of a directory lie in all of them, and writers set its bits under different locks
// or, having set them, are about to publish. Who would clear one must have stopped all writers, or
// have two tables of which all processes know. What stays costs little enough: a look at a slot for
// each stale bit, at most one for each length of a path, within a search's budget; bench_kvs_store
// measures it.) So a writer may die anywhere, and a wrong bit costs a look at a slot. There is no
// lock; a marker is a word, eight of them share a cache line, and a ninth directory of the same
// group finds it *crowded*: for directories that such a group has no marker of, every length is
// tried. Two directories with the same few bits of a hash in the same group share a marker, which
// promises too much for both.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace kvs {

// The lengths of tails, one for each bit; above them all of the same remainder share one.
using TailBits = std::uint64_t;
inline constexpr std::size_t kExactTails = 32;
inline constexpr std::size_t kTailRemainders = 16;
inline constexpr TailBits kAllTails = (TailBits{1} << (kExactTails + kTailRemainders)) - 1;

constexpr TailBits tail_bit(std::size_t length) {
  if (length < kExactTails) return TailBits{1} << length;
  return TailBits{1} << (kExactTails + length % kTailRemainders);
}

// The longest tail of at most `most` bytes that there may be; kNoTail: none.
inline constexpr std::size_t kNoTail = ~std::size_t{0};
constexpr std::size_t longest_tail(TailBits tails, std::size_t most) {
  if (most >= kExactTails) {
    // The bit of `most` comes first, then those of the lengths below it.
    const auto remainders = std::rotl(static_cast<std::uint16_t>(tails >> kExactTails),
                                      static_cast<int>(15 - most % kTailRemainders));
    const auto shorter = static_cast<std::size_t>(std::countl_zero(remainders));
    if (remainders != 0 && most - shorter >= kExactTails) return most - shorter;
    most = kExactTails - 1;
  }
  tails &= (TailBits{2} << most) - 1;
  return tails == 0 ? kNoTail : static_cast<std::size_t>(std::bit_width(tails)) - 1;
}

class MarkerGroup {
 public:
  // Before a key with such a tail is published. Relaxed: the release that publishes the key carries
  // it to whoever sees the key; who does not see it need not see the bit. Markers are taken in
  // order and never given back, so two writers of one directory meet at the same one.
  void set(std::uint64_t hash, TailBits bit) {
    for (Marker& marker : markers_) {
      std::uint64_t word = marker.load(std::memory_order_relaxed);
      const bool is_taken = word == 0 && marker.compare_exchange_strong(word, tag_of(hash) | bit,
                                                                        std::memory_order_relaxed);
      if (is_taken) return;
      if (tag_of(word) == tag_of(hash)) return set_once(marker, bit);
    }
    set_once(markers_[0], kCrowded);
  }

  // The tails that may be there; too many, never too few.
  [[nodiscard]] TailBits tails(std::uint64_t hash) const {
    for (const Marker& marker : markers_) {
      const std::uint64_t word = marker.load(std::memory_order_relaxed);
      if (word == 0) return 0;
      if (tag_of(word) == tag_of(hash)) return word & kAllTails;
    }
    return (markers_[0].load(std::memory_order_relaxed) & kCrowded) != 0 ? kAllTails : 0;
  }

 private:
  // tag 15 | crowded, in the first one, 1 | tails 48; zero is free.
  using Marker = std::atomic<std::uint64_t>;
  static constexpr std::uint64_t kCrowded = kAllTails + 1;
  static_assert(kTailRemainders == 16 && kCrowded == std::uint64_t{1} << 48);

  static constexpr std::uint64_t tag_of(std::uint64_t word) { return word >> 49 << 49; }
  // Looks first: a line that is only read stays in every cache.
  static void set_once(Marker& marker, std::uint64_t bit) {
    if ((marker.load(std::memory_order_relaxed) & bit) == 0) {
      marker.fetch_or(bit, std::memory_order_relaxed);
    }
  }

  std::array<Marker, 8> markers_;  // zeroed memory
};
static_assert(sizeof(MarkerGroup) == 64);

}  // namespace kvs

// Which tails there are in a directory: what lets a longest-prefix search leave out the lengths at
// which no key ends. For each directory (a prefix up to and including a '/', or the empty one) a
// marker holds the hash of the prefix and a bitmap of the lengths of the keys' tails behind it.
//
// Markers only promise too much, never too little: a bit is set before its key is published, and
// none is cleared while the store is in use, though its last key may be gone. (A marker is of no
// shard: the keys of a directory lie in all of them, and writers set its bits under different locks
// or, having set them, are about to publish. Who would clear one must have stopped all writers, or
// have two tables of which all processes know. What stays costs little enough: a look at a slot for
// each stale bit, at most one for each length of a path, within a search's budget.) So a writer may
// die anywhere, and a wrong bit costs a look at a slot. There is no lock; four markers share a
// cache line, and a fifth directory of the same group finds it *crowded*: for directories that such
// a group has no marker of, every length is tried.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace kvs {

// The lengths of tails, one for each bit; the last ones stand for many.
using TailBits = std::uint64_t;
inline constexpr TailBits kAllTails = ~TailBits{0};
inline constexpr std::size_t kExactTails = 52;  // bits that mean one length

constexpr TailBits tail_bit(std::size_t length) {
  if (length < kExactTails) return TailBits{1} << length;
  // One bit for each power of two, up to the longest key of 2^16 - 1.
  const auto power = static_cast<std::size_t>(std::bit_width(length));  // 6 at least
  return TailBits{1} << (kExactTails + power - 6);
}
// The longest that a bit stands for.
constexpr std::size_t longest_of(std::size_t bit) {
  return bit < kExactTails ? bit : (std::size_t{1} << (bit - kExactTails + 6)) - 1;
}

// The longest tail of at most `most` bytes that there may be; kNoTail: none.
inline constexpr std::size_t kNoTail = ~std::size_t{0};
constexpr std::size_t longest_tail(TailBits tails, std::size_t most) {
  const TailBits last = tail_bit(most);
  if ((tails & last) != 0) return most;
  tails &= last - 1;
  return tails == 0 ? kNoTail : longest_of(static_cast<std::size_t>(std::bit_width(tails)) - 1);
}

class MarkerGroup {
 public:
  // Before a key with such a tail is published. Relaxed: the release that publishes the key carries
  // it to whoever sees the key; who does not see it need not see the bit.
  void set(std::uint64_t hash, TailBits bit) {
    Marker* marker = find_or_insert(hash);
    if (marker == nullptr) {
      set_once(markers_[0].tag, kCrowded);
    } else {
      set_once(marker->tails, bit);
    }
  }

  // The tails that may be there; too many, never too few.
  [[nodiscard]] TailBits tails(std::uint64_t hash) const {
    for (const Marker& marker : markers_) {
      if (is_of(marker.tag.load(std::memory_order_relaxed), hash)) {
        return marker.tails.load(std::memory_order_relaxed);
      }
    }
    return (markers_[0].tag.load(std::memory_order_relaxed) & kCrowded) != 0 ? kAllTails : 0;
  }

 private:
  // A tag is the hash with the lowest two bits spent: in use, and (in the first one) crowded.
  static constexpr std::uint64_t kCrowded = 1;
  static constexpr std::uint64_t kInUse = 2;
  struct Marker {
    std::atomic<std::uint64_t> tag;  // 0: free
    std::atomic<TailBits> tails;
  };

  static std::uint64_t tag_of(std::uint64_t hash) { return (hash & ~(kCrowded | kInUse)) | kInUse; }
  static bool is_of(std::uint64_t tag, std::uint64_t hash) {
    return (tag & ~kCrowded) == tag_of(hash);
  }
  // Looks first: a line that is only read stays in every cache.
  static void set_once(std::atomic<std::uint64_t>& word, std::uint64_t bit) {
    if ((word.load(std::memory_order_relaxed) & bit) == 0) {
      word.fetch_or(bit, std::memory_order_relaxed);
    }
  }
  // Markers are taken in order and never given back, so two writers of one directory meet at the
  // same one.
  Marker* find_or_insert(std::uint64_t hash) {
    for (Marker& marker : markers_) {
      std::uint64_t tag = marker.tag.load(std::memory_order_relaxed);
      const bool is_taken = tag == 0 && marker.tag.compare_exchange_strong(
                                            tag, tag_of(hash), std::memory_order_relaxed);
      if (is_taken || is_of(tag, hash)) return &marker;
    }
    return nullptr;
  }

  std::array<Marker, 4> markers_;  // zeroed memory
};
static_assert(sizeof(MarkerGroup) == 64);

}  // namespace kvs

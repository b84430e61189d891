// Where records are found: a bucket has seven slots, and a word that names the next bucket of its
// chain. The first of a chain is a cache line; the others lie in cells, of any size that has room.
// A slot word is all that makes a record part of the store, and the one thing that is published:
// stored with release when the record is complete, loaded with acquire by whoever then reads the
// record. A record that is overwritten keeps its slot, so whoever walks the chain in order meets
// every key that is there all the while.
//
// Chains grow at their end. A bucket of a chain that has become empty is unlinked, wherever it is,
// and its cell retires as that of a record does. Whoever stands on it goes on from there: it keeps
// its next one, and nothing is ever linked in between, so what he misses came after him. One that
// a death leaves empty stays until something is removed from its chain.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "modules/kvs/store/memory.h"
#include "modules/kvs/store/record.h"

namespace kvs {

// tag 16 | units 44 | state 4; zero is a free slot.
using SlotWord = std::uint64_t;
inline constexpr SlotWord kFreeSlot = 0;

constexpr SlotWord slot_word(std::uint64_t hash, Units units) {
  constexpr SlotWord kLive = 1;
  return (hash >> 48 << 48) | (units << 4) | kLive;
}
constexpr Units units_of(SlotWord word) { return word << 16 >> 20; }
constexpr bool has_tag_of(SlotWord word, std::uint64_t hash) {
  return word != kFreeSlot && (word ^ hash) >> 48 == 0;
}

inline constexpr std::size_t kSlotsPerBucket = 7;
// Longer ones are not made, and not followed: a key that finds no place is refused.
inline constexpr std::size_t kLongestChain = 1024;

struct alignas(kUnitBytes) Bucket {
  std::array<std::atomic<SlotWord>, kSlotsPerBucket> slots;
  std::atomic<Units> next;
};
static_assert(sizeof(Bucket) == 64);

// Under the shard's lock.
inline bool is_empty(const Bucket& bucket) {
  return std::all_of(bucket.slots.begin(), bucket.slots.end(), [](const auto& slot) {
    return slot.load(std::memory_order_relaxed) == kFreeSlot;
  });
}

// Null when none can lie there.
inline Bucket* bucket_at(const Memory& memory, Units units) {
  return reinterpret_cast<Bucket*>(memory.at(units, sizeof(Bucket)));
}

// With the release that appends a bucket (Shard::append_bucket).
inline Bucket* next_in_chain(const Memory& memory, const Bucket& bucket) {
  return bucket_at(memory, bucket.next.load(std::memory_order_acquire));
}

// Calls visit(slot, word) for the occupied slots of a chain, in order, until it answers true. How
// many buckets it has looked at.
template <class Visit>
std::size_t visit_chain(const Memory& memory, Bucket* bucket, Visit visit) {
  std::size_t length = 0;
  while (bucket != nullptr && length < kLongestChain) {
    ++length;
    for (auto& slot : bucket->slots) {
      // With the release that publishes a record (Shard::publish).
      const SlotWord word = slot.load(std::memory_order_acquire);
      if (word != kFreeSlot && visit(slot, word)) return length;
    }
    bucket = next_in_chain(memory, *bucket);
  }
  return length;
}

struct Found {
  std::atomic<SlotWord>* slot = nullptr;
  SlotWord word = kFreeSlot;
  Record* record = nullptr;  // null: not there
  std::size_t buckets = 0;   // that were looked at
};

// Which slots may have the key's tag, a bit each: free ones may, too. Without a branch for each
// slot, which a CPU would guess wrong once a bucket. The words may be others when they are looked
// at again. Acquire: with the release of who publishes a record or removes one (Shard::publish,
// LockedShard::remove), so that who misses a key sees that changes had begun.
inline unsigned slots_of_tag(const Bucket& bucket, std::uint64_t hash) {
  unsigned slots = 0;
#pragma GCC unroll 7
  for (std::size_t i = 0; i < kSlotsPerBucket; ++i) {
    const SlotWord word = bucket.slots[i].load(std::memory_order_acquire);
    slots |= static_cast<unsigned>((word ^ hash) >> 48 == 0) << i;
  }
  return slots;
}

inline Found find_in_bucket(const Memory& memory, Bucket& bucket, std::uint64_t hash,
                            std::string_view key) {
  for (unsigned left = slots_of_tag(bucket, hash); left != 0; left &= left - 1) {
    auto& slot = bucket.slots[static_cast<std::size_t>(std::countr_zero(left))];
    const SlotWord word = slot.load(std::memory_order_acquire);
    if (!has_tag_of(word, hash)) continue;
    Record* record = record_at(memory, units_of(word));
    if (record != nullptr && record->key() == key) return {&slot, word, record};
  }
  return {};
}

inline Found find_in_chain(const Memory& memory, Bucket* bucket, std::uint64_t hash,
                           std::string_view key) {
  std::size_t length = 0;
  while (bucket != nullptr && length < kLongestChain) {
    ++length;
    Found found = find_in_bucket(memory, *bucket, hash, key);
    found.buckets = length;
    if (found.record != nullptr) return found;
    bucket = next_in_chain(memory, *bucket);
  }
  return {.buckets = length};
}

// What lies in the first bucket under the key's tag: of most records head, key and a small value.
// Not read, so it may be anything. Null: nothing does.
inline constexpr std::size_t kPrefetchedRecord = 192;  // bytes
inline const std::byte* likely_record(const Memory& memory, const Bucket& bucket,
                                      std::uint64_t hash) {
  const unsigned slots = slots_of_tag(bucket, hash);
  if (slots == 0) return nullptr;
  const auto& slot = bucket.slots[static_cast<std::size_t>(std::countr_zero(slots))];
  const Units units = units_of(slot.load(std::memory_order_relaxed));
  return memory.at(units, kPrefetchedRecord);
}

}  // namespace kvs

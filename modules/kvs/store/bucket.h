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
    // With the release that appends a bucket (Shard::append_bucket).
    bucket = bucket_at(memory, bucket->next.load(std::memory_order_acquire));
  }
  return length;
}

struct Found {
  std::atomic<SlotWord>* slot = nullptr;
  SlotWord word = kFreeSlot;
  Record* record = nullptr;  // null: not there
  std::size_t buckets = 0;   // that were looked at
};

inline Found find_in_chain(const Memory& memory, Bucket* bucket, std::uint64_t hash,
                           std::string_view key) {
  Found found;
  const auto is_it = [&](std::atomic<SlotWord>& slot, SlotWord word) {
    if (!has_tag_of(word, hash)) return false;
    Record* record = record_at(memory, units_of(word));
    if (record == nullptr || record->key() != key) return false;
    found = Found{&slot, word, record};
    return true;
  };
  found.buckets = visit_chain(memory, bucket, is_it);
  return found;
}

// What lies in the first bucket under the key's tag: head, key and a small value. Not read, so it
// may be anything.
inline void prefetch_record(const Memory& memory, const Bucket& bucket, std::uint64_t hash) {
  constexpr std::size_t kLine = 64;
  constexpr std::size_t kLines = 3;
  for (const auto& slot : bucket.slots) {
    const SlotWord word = slot.load(std::memory_order_relaxed);
    if (!has_tag_of(word, hash)) continue;
    const std::byte* record = memory.at(units_of(word), kLines * kLine);
    for (std::size_t i = 0; i < kLines && record != nullptr; ++i)
      __builtin_prefetch(record + i * kLine);
  }
}

}  // namespace kvs

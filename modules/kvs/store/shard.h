// A shard: the keys of one part of the hashes, with a lock, buckets and cells of its own. Here is
// what lies in memory, and what only the holder of the lock does: finding a place, publishing,
// unlinking, and giving unlinked cells back when no reader can have them.
//
// Slot words and records are the truth; everything else (bitmaps, lists, counts, the list of what
// has retired) is derived and made anew when a holder has died.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "modules/kvs/store/bucket.h"
#include "modules/kvs/store/cells.h"
#include "modules/kvs/store/changes.h"
#include "modules/kvs/store/markers.h"
#include "modules/kvs/store/readers.h"
#include "modules/kvs/store/robust_mutex.h"

namespace kvs {

// Unlinked, and to be freed when all that read then have gone on.
struct RetiredCell {
  Units units;
  Epoch epoch;
};

// First in, first out. When it is full the shard's cells are abandoned instead: unlinked without a
// note, and found by a collection of garbage.
class RetiredCells {
 public:
  static constexpr std::uint32_t kMost = 512;

  // Without the lock a hint.
  [[nodiscard]] std::uint32_t size() const { return std::min(load(end_) - load(begin_), kMost); }
  [[nodiscard]] bool is_full() const { return size() == kMost; }
  [[nodiscard]] const RetiredCell& operator[](std::uint32_t i) const {
    return cells_[(load(begin_) + i) % kMost];
  }
  void push(const RetiredCell& cell) { cells_[advance(end_) % kMost] = cell; }
  RetiredCell pop() { return cells_[advance(begin_) % kMost]; }
  void clear() { begin_.store(load(end_), std::memory_order_relaxed); }

 private:
  using Index = std::atomic<std::uint32_t>;
  static std::uint32_t load(const Index& index) { return index.load(std::memory_order_relaxed); }
  static std::uint32_t advance(Index& index) {
    const std::uint32_t before = load(index);
    index.store(before + 1, std::memory_order_relaxed);
    return before;
  }

  Index begin_;  // zeroed memory; both only grow, and wrap around
  Index end_;
  std::array<RetiredCell, kMost> cells_;
};

// Read without the lock by who asks for statistics; written under it. Each death leaves the first
// two too large by an item at most, until a collection counts again.
struct ShardCounters {
  std::atomic<std::uint64_t> items;
  std::atomic<std::uint64_t> cell_bytes;  // of the cells that items are in
  std::atomic<std::uint64_t> expired;     // removed because their time was over
  std::atomic<std::uint64_t> evicted;
  std::atomic<std::uint64_t> repairs;      // after a holder's death
  std::atomic<std::uint64_t> collections;  // of garbage
  std::atomic<std::uint64_t> unnoted;      // unlinked while the list of the retired was full
};
static_assert(sizeof(ShardCounters) <= 64, "in the line that it has: no other layout");

// Counters in a line of their own: whoever asks for statistics does not disturb who locks.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): that is what the padding is for.
struct alignas(64) Shard {
  RobustMutex mutex;
  std::uint64_t last_cas;
  std::uint32_t clock_page;      // where the eviction's hand is
  std::uint32_t pinned_retired;  // of `retired`, as of the last reclaiming
  alignas(64) ShardCounters counters;
  PagesWithRoom pages_with_room;
  RetiredCells retired;
};

// What the processes share, as one of them sees it.
struct Mapping {
  Mapping(std::span<std::byte> bytes, const Plan& plan);
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::uint32_t shard_of(std::uint64_t hash) const {
    return static_cast<std::uint32_t>(hash & (shards.size() - 1));
  }
  // The shards have used the lowest six bits, tags use the highest sixteen; between them are as
  // many as there may be buckets.
  [[nodiscard]] Bucket& bucket_of(std::uint64_t hash) const {
    return bucket(shard_of(hash), spread(hash, buckets_per_shard));
  }
  [[nodiscard]] Bucket& bucket(std::uint32_t shard, std::uint32_t index) const {
    return buckets[std::size_t{shard} * buckets_per_shard + index];
  }
  [[nodiscard]] MarkerGroup& markers_of(std::uint64_t hash) const {
    return markers[spread(hash, markers.size())];
  }

  // A number below `count`, which need not be a power of two.
  static std::uint32_t spread(std::uint64_t hash, std::uint64_t count) {
    return static_cast<std::uint32_t>((hash >> 6 & 0xffffffff) * count >> 32);
  }

  Memory memory;
  std::uint32_t buckets_per_shard;
  Globals& globals;
  std::span<ReaderSlot> reader_slots;
  std::span<ChangeCounter> changes;
  std::span<Shard> shards;
  std::span<Bucket> buckets;
  std::span<MarkerGroup> markers;
  PageMap pages;
  Readers readers;
};

// To a counter of a shard, under its lock: nobody else writes there.
inline void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

// The lock of a shard, and what its holder does. Lives for one operation.
class LockedShard {
 public:
  // Tries for less than a microsecond or two, as a holder that runs needs; never waits. When the
  // last holder has died, repairs the shard. Who holds another shard tries once.
  static constexpr int kTries = 50;
  LockedShard(Mapping& mapping, std::uint32_t shard, int tries = kTries);
  ~LockedShard();
  LockedShard(const LockedShard&) = delete;
  LockedShard& operator=(const LockedShard&) = delete;
  // False: busy, and nothing else may be called.
  explicit operator bool() const { return is_locked_; }

  [[nodiscard]] Found find(std::uint64_t hash, std::string_view key) const;
  [[nodiscard]] std::uint64_t next_cas() { return ++shard_.last_cas; }

  // A cell that nobody but the caller knows; 0: no room. It is to be published, freed or held
  // before the next one is asked for.
  [[nodiscard]] Units allocate(std::size_t bytes);
  // The same after the other shards have given back pages that wait there for nobody; the last
  // resort is a cell that is too large.
  [[nodiscard]] Units allocate_last_resort(std::size_t bytes);
  void free(Units units);

  // The record becomes the key's, whose place it takes or which is new: `found` is what find()
  // gave. False: the chain is full, and is too long, or there is no room for another bucket.
  [[nodiscard]] bool publish(const Found& found, std::uint64_t hash, Units units,
                             std::uint64_t now_ms);
  void remove(const Found& found);
  // Unlinks the empty buckets of the chain that begins there; after removals.
  void shorten_chain(Bucket& first);

  // Frees what has retired and no reader can have: as much as the list holds. Collects garbage if
  // there is, which takes a look at each bucket of the shard and at each page: some 25 nanoseconds
  // for each item (bench_kvs_repair). There is garbage, once, when a process has died that held the
  // lock or a reservation; and when more retired than the list holds, because somebody has been
  // reading for that long. Not by anything that clients do to a store whose processes live and run.
  void reclaim();
  // Cells that come back when those who read now have gone on; not what is pinned.
  [[nodiscard]] std::uint32_t waiting() const {
    return shard_.retired.size() - std::min(shard_.pinned_retired, shard_.retired.size());
  }
  // As of the last reclaiming: there is something that comes back when batches end.
  [[nodiscard]] bool waits_for_readers() const;
  // Whether there may be anything to reclaim in a shard; without its lock.
  [[nodiscard]] static bool has_waste(const Mapping& mapping, std::uint32_t shard);

  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] Cells& cells() { return cells_; }
  [[nodiscard]] Mapping& mapping() { return mapping_; }

 private:
  // shard.cpp
  bool lock(int tries);
  [[nodiscard]] Units allocate_cell(std::size_t bytes);
  [[nodiscard]] Units allocate_from_others(std::size_t bytes);
  std::atomic<SlotWord>* free_slot(std::uint64_t hash);
  Bucket* append_bucket(Bucket& last);
  void retire(Units units);
  std::uint64_t note(Units units);
  void count(std::int64_t items, Units units);
  // repair.cpp
  void repair();
  void collect_garbage(Epoch safe);
  void mark_published();
  void mark_retired();
  void mark_held();

  Mapping& mapping_;
  Shard& shard_;
  std::uint32_t index_;
  Cells cells_;
  Units in_hand_ = 0;  // allocated here, and in no slot yet: no garbage
  bool is_locked_;
};

}  // namespace kvs

#include "modules/kvs/store/shard.h"

#include <algorithm>

namespace kvs {
namespace {

// Of a processor that waits for another one.
void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // some ten nanoseconds; "yield" is nothing on most
#endif
}

}  // namespace

Mapping::Mapping(std::span<std::byte> bytes, const Plan& plan)
    : memory(bytes, plan.layout.pages),
      buckets_per_shard(plan.layout.counts.buckets),
      globals(*memory.region<Globals>(plan.layout.globals)),
      reader_slots(memory.region<ReaderSlot>(plan.layout.readers), plan.layout.counts.readers),
      changes(memory.region<ChangeCounter>(plan.layout.changes), plan.layout.counts.shards),
      shards(memory.region<Shard>(plan.layout.shards), plan.layout.counts.shards),
      buckets(memory.region<Bucket>(plan.layout.buckets),
              std::size_t{plan.layout.counts.shards} * plan.layout.counts.buckets),
      markers(memory.region<MarkerGroup>(plan.layout.markers), plan.layout.counts.marker_groups),
      pages({memory.region<PageOwner>(plan.layout.page_owners), plan.layout.counts.pages},
            {memory.region<PageInfo>(plan.layout.page_infos), plan.layout.counts.pages},
            globals.pages, plan.layout.pages),
      readers(reader_slots, globals, pages) {}

LockedShard::LockedShard(Mapping& mapping, std::uint32_t shard, int tries)
    : mapping_(mapping),
      shard_(mapping.shards[shard]),
      index_(shard),
      cells_(mapping.pages, shard_.pages_with_room, static_cast<std::uint8_t>(shard)),
      is_locked_(lock(tries)) {}

LockedShard::~LockedShard() {
  if (is_locked_) shard_.mutex.unlock();
}

bool LockedShard::lock(int tries) {
  for (int i = 0; i < tries; ++i) {
    const LockResult result = shard_.mutex.try_lock();
    if (result == LockResult::kOwnerDied) repair();
    if (result != LockResult::kBusy) return true;
    relax();
  }
  return false;
}

Found LockedShard::find(std::uint64_t hash, std::string_view key) const {
  return find_in_chain(mapping_.memory, &mapping_.bucket_of(hash), hash, key);
}

Units LockedShard::allocate(std::size_t bytes) { return in_hand_ = allocate_cell(bytes); }

// The first reclaiming may only find out who has died, and what he had.
Units LockedShard::allocate_cell(std::size_t bytes) {
  for (int reclaimed = 0;; ++reclaimed) {
    const Units units = cells_.allocate(bytes);
    const bool is_hopeless = reclaimed > 0 && !has_waste(mapping_, index_);
    if (units != 0 || is_hopeless || reclaimed == 2) return units;
    reclaim();
  }
}

Units LockedShard::allocate_from_others(std::size_t bytes) {
  for (std::uint32_t other = 0; other < mapping_.shards.size(); ++other) {
    if (other == index_ || !has_waste(mapping_, other)) continue;
    if (LockedShard shard(mapping_, other, 1); shard) shard.reclaim();
    if (const Units units = cells_.allocate(bytes)) return units;
  }
  return 0;
}

Units LockedShard::allocate_last_resort(std::size_t bytes) {
  const Units units = allocate_from_others(bytes);
  return in_hand_ = units != 0 ? units : cells_.allocate_larger(bytes);
}

void LockedShard::free(Units units) {
  in_hand_ = 0;
  cells_.free(units);
}

bool LockedShard::has_waste(const Mapping& mapping, std::uint32_t shard) {
  return mapping.shards[shard].retired.size() > 0 ||
         mapping.globals.abandoned[shard].load(std::memory_order_relaxed) != 0;
}

bool LockedShard::waits_for_readers() const {
  return waiting() > 0 || mapping_.globals.abandoned[index_].load(std::memory_order_relaxed) != 0;
}

// Whether there is such a key changes also where a record's time is over, or not yet over, that the
// old one's was not, or was: for anybody, and clocks that are set once for a batch differ. What
// both records leave a minute to, is there before and after on each of them; a batch that lasts
// longer is that of a process which is not well.
bool LockedShard::publish(const Found& found, std::uint64_t hash, Units units,
                          std::uint64_t now_ms) {
  constexpr std::uint64_t kClocksDiffer = 60'000;  // at most, in milliseconds
  const auto stays = [now_ms](Record* record) {
    return record != nullptr && !record->is_expired(now_ms + kClocksDiffer);
  };
  const bool is_there = stays(found.record) && stays(record_at(mapping_.memory, units));
  std::atomic<SlotWord>* slot = found.record != nullptr ? found.slot : free_slot(hash);
  if (slot == nullptr) return false;
  ChangeCounter& change = mapping_.changes[index_];
  count(1, units);
  if (!is_there) change.begin();
  // Release: with the acquire of slots_of_tag(). Carries the record, the marker of its directory,
  // and the beginning of the change.
  slot->store(slot_word(hash, units), std::memory_order_release);
  if (!is_there) change.end();
  in_hand_ = 0;
  if (found.record == nullptr) return true;
  count(-1, units_of(found.word));
  retire(units_of(found.word));
  return true;
}

void LockedShard::remove(const Found& found) {
  ChangeCounter& change = mapping_.changes[index_];
  change.begin();
  // Release: who sees the slot free sees that a change has begun.
  found.slot->store(kFreeSlot, std::memory_order_release);
  change.end();
  count(-1, units_of(found.word));
  retire(units_of(found.word));
}

std::atomic<SlotWord>* LockedShard::free_slot(std::uint64_t hash) {
  Bucket* bucket = &mapping_.bucket_of(hash);
  for (std::size_t length = 1; bucket != nullptr; ++length) {
    const auto slot = std::find_if(bucket->slots.begin(), bucket->slots.end(), [](auto& word) {
      return word.load(std::memory_order_relaxed) == kFreeSlot;
    });
    if (slot != bucket->slots.end()) return slot;
    if (length == kLongestChain) return nullptr;
    const Units next = bucket->next.load(std::memory_order_relaxed);
    bucket = next == 0 ? append_bucket(*bucket) : bucket_at(mapping_.memory, next);
  }
  return nullptr;
}

Bucket* LockedShard::append_bucket(Bucket& last) {
  Units units = allocate_cell(sizeof(Bucket));
  if (units == 0) units = allocate_from_others(sizeof(Bucket));
  if (units == 0) units = cells_.allocate_larger(sizeof(Bucket));
  if (units == 0) return nullptr;
  Bucket* bucket = bucket_at(mapping_.memory, units);
  if (bucket == nullptr) return nullptr;
  for (auto& slot : bucket->slots) slot.store(kFreeSlot, std::memory_order_relaxed);
  bucket->next.store(0, std::memory_order_relaxed);
  last.next.store(units, std::memory_order_release);  // with the acquire of next_in_chain()
  return bucket;
}

// Release: with the acquire of next_in_chain(). Who sees the shorter chain sees what was removed
// from it, too: that changes had begun.
void LockedShard::shorten_chain(Bucket& first) {
  Bucket* bucket = &first;
  for (std::size_t length = 1; length < kLongestChain; ++length) {
    const Units units = bucket->next.load(std::memory_order_relaxed);
    Bucket* next = bucket_at(mapping_.memory, units);
    if (next == nullptr) return;
    if (is_empty(*next)) {
      const Units after = next->next.load(std::memory_order_relaxed);
      bucket->next.store(after == units ? 0 : after,
                         std::memory_order_release);  // none follows itself
      retire(units);
    } else {
      bucket = next;
    }
  }
}

// Noted before anything is reclaimed: what nobody has a note of is garbage at once.
void LockedShard::retire(Units units) {
  constexpr std::uint64_t kBatch = 64;       // looking at all readers is worth it for so many
  constexpr std::uint64_t kEpochLength = 8;  // so that few of them wait for who reads now
  const std::uint64_t count = note(units);
  if (count >= kBatch && count % kBatch == 0) {
    reclaim();
  } else if (count % kEpochLength == 0) {
    mapping_.readers.advance();
  }
}

// How many there are, or have found no room for a note.
std::uint64_t LockedShard::note(Units units) {
  RetiredCells& retired = shard_.retired;
  if (!retired.is_full()) {
    retired.push({units, mapping_.readers.retire_epoch()});
    return retired.size();
  }
  mapping_.readers.abandon(static_cast<std::uint8_t>(index_));
  add(shard_.counters.unnoted, 1);
  return shard_.counters.unnoted.load(std::memory_order_relaxed);
}

void LockedShard::reclaim() {
  const Epoch safe = mapping_.readers.begin_safe_epoch();
  const auto& held = mapping_.readers.held();
  const auto is_pinned = [&held](Units units) {
    return std::find(held.begin(), held.end(), pinned(units)) != held.end();
  };
  RetiredCells& retired = shard_.retired;
  shard_.pinned_retired = 0;
  for (std::uint32_t left = retired.size(); left > 0; --left) {
    const RetiredCell cell = retired.pop();
    const bool is_reachable = cell.epoch >= safe;
    if (is_reachable || is_pinned(cell.units)) {
      retired.push(cell);
      shard_.pinned_retired += is_reachable ? 0 : 1;
    } else {
      cells_.free(cell.units);
    }
  }
  collect_garbage(safe);
}

// One more, before it is there, or one less, when it is gone.
void LockedShard::count(std::int64_t items, Units units) {
  const auto change = static_cast<std::uint64_t>(items);  // less is more, around the end
  add(shard_.counters.items, change);
  add(shard_.counters.cell_bytes, change * cells_.bytes_at(units));
}

}  // namespace kvs

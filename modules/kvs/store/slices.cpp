#include "modules/kvs/store/slices.h"

namespace kvs {
namespace {

// What was done with a bucket.
struct Turn {
  std::uint64_t items = 0;
  bool is_busy = false;    // nothing: somebody else has the shard
  bool is_enough = false;  // the slice ends here, and the batch
};

// Calls work(bucket, index of its shard) for each bucket from the cursor on.
template <class Work>
Slice run(Store& store, std::uint64_t cursor, const SliceLimits& limits, Work work) {
  Mapping& mapping = store.mapping();
  Slice slice{.cursor = cursor};
  Turn turn;
  for (std::uint32_t buckets = 0; slice.cursor < mapping.buckets.size(); ++buckets) {
    if (buckets == limits.buckets || slice.items >= limits.items || turn.is_enough) return slice;
    const auto shard = static_cast<std::uint32_t>(slice.cursor / mapping.buckets_per_shard);
    turn = work(mapping.buckets[slice.cursor], shard);
    slice.is_busy = turn.is_busy;
    slice.must_end_batch = turn.is_enough;
    if (slice.is_busy) return slice;
    slice.items += turn.items;
    ++slice.cursor;
  }
  slice.is_last = true;
  slice.cursor = 0;
  return slice;
}

template <class IsVictim>
bool has_victim(const Memory& memory, Bucket& bucket, IsVictim is_victim) {
  bool has = false;
  visit_chain(memory, &bucket, [&](auto&, SlotWord word) {
    Record* record = record_at(memory, units_of(word));
    has = record != nullptr && is_victim(*record);
    return has;
  });
  return has;
}

// How many of those removed had not expired before, and how many had.
struct Removed {
  std::uint64_t live = 0;
  std::uint64_t expired = 0;
};

template <class IsVictim>
Removed remove_from(LockedShard& shard, Bucket& bucket, std::uint64_t now_ms, IsVictim is_victim) {
  Removed removed;
  const Memory& memory = shard.mapping().memory;
  visit_chain(memory, &bucket, [&](std::atomic<SlotWord>& slot, SlotWord word) {
    Record* record = record_at(memory, units_of(word));
    if (record == nullptr || !is_victim(*record)) return false;
    ++(record->is_expired(now_ms) ? removed.expired : removed.live);
    shard.remove({&slot, word, record});
    return false;
  });
  shard.shorten_chain(bucket);
  add(shard.shard().counters.expired, removed.expired);
  return removed;
}

// More would make the list of the retired overflow, and the shard pay with a collection of garbage.
// What is pinned has its places there, and waits for no batch.
bool has_retired_enough(LockedShard& shard) {
  const std::uint32_t waiting = shard.waiting();
  const std::uint32_t places = RetiredCells::kMost - (shard.shard().retired.size() - waiting);
  return waiting > 0 && waiting >= places / 4 * 3;
}

// Locks only where there is something to remove.
template <class IsVictim>
Slice remove_if(Store& store, std::uint64_t cursor, const SliceLimits& limits, bool counts_expired,
                IsVictim is_victim) {
  store.begin_reading();
  return run(store, cursor, limits, [&](Bucket& bucket, std::uint32_t index) -> Turn {
    if (!has_victim(store.mapping().memory, bucket, is_victim)) return {};
    LockedShard shard(store.mapping(), index);
    if (!shard) return {.is_busy = true};
    if (has_retired_enough(shard)) shard.reclaim();
    const Removed removed = remove_from(shard, bucket, store.now_ms(), is_victim);
    return {.items = counts_expired ? removed.expired : removed.live,
            .is_enough = has_retired_enough(shard)};
  });
}

}  // namespace

Slice scan(Store& store, std::string_view prefix, std::uint64_t cursor, const SliceLimits& limits,
           const std::function<void(const Item&)>& visit) {
  store.begin_reading();
  const Memory& memory = store.mapping().memory;
  return run(store, cursor, limits, [&](Bucket& bucket, std::uint32_t) -> Turn {
    std::uint64_t items = 0;
    visit_chain(memory, &bucket, [&](auto&, SlotWord word) {
      Record* record = record_at(memory, units_of(word));
      if (record == nullptr || record->is_expired(store.now_ms())) return false;
      if (!record->key().starts_with(prefix)) return false;
      visit(item_of(*record));
      ++items;
      return false;
    });
    return {.items = items};
  });
}

Slice remove_prefix(Store& store, std::string_view prefix, std::uint64_t cursor,
                    const SliceLimits& limits) {
  return remove_if(store, cursor, limits, false,
                   [prefix](Record& record) { return record.key().starts_with(prefix); });
}

Slice remove_expired(Store& store, std::uint64_t cursor, const SliceLimits& limits) {
  const std::uint64_t now_ms = store.now_ms();
  return remove_if(store, cursor, limits, true,
                   [now_ms](Record& record) { return record.is_expired(now_ms); });
}

// Where free pages are is only a hint, and nobody who finds none looks further: one that was
// written over would hide them for ever.
bool tend(Store& store, std::uint32_t shard) {
  if (shard == 0) store.mapping().pages.forget_failures();
  LockedShard locked(store.mapping(), shard);
  if (!locked) return false;
  if (LockedShard::has_waste(store.mapping(), shard)) locked.reclaim();
  return true;
}

}  // namespace kvs

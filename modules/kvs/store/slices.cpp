#include "modules/kvs/store/slices.h"

namespace kvs {
namespace {

// Calls work(bucket, index of its shard, items so far) for each bucket from the cursor on: how many
// items it had, or nothing when it is busy.
template <class Work>
Slice run(Store& store, std::uint64_t cursor, const SliceLimits& limits, Work work) {
  Mapping& mapping = store.mapping();
  Slice slice{.cursor = cursor};
  for (std::uint32_t buckets = 0; slice.cursor < mapping.buckets.size(); ++buckets) {
    if (buckets == limits.buckets || slice.items >= limits.items) return slice;
    const auto shard = static_cast<std::uint32_t>(slice.cursor / mapping.buckets_per_shard);
    const std::optional<std::uint64_t> items = work(mapping.buckets[slice.cursor], shard);
    slice.is_busy = !items;
    if (slice.is_busy) return slice;
    slice.items += *items;
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
  add(shard.shard().counters.expired, removed.expired);
  return removed;
}

// Locks only where there is something to remove.
template <class IsVictim>
Slice remove_if(Store& store, std::uint64_t cursor, const SliceLimits& limits, bool counts_expired,
                IsVictim is_victim) {
  store.begin_reading();
  return run(store, cursor, limits,
             [&](Bucket& bucket, std::uint32_t index) -> std::optional<std::uint64_t> {
               if (!has_victim(store.mapping().memory, bucket, is_victim)) return 0;
               LockedShard shard(store.mapping(), index);
               if (!shard) return std::nullopt;
               const Removed removed = remove_from(shard, bucket, store.now_ms(), is_victim);
               return counts_expired ? removed.expired : removed.live;
             });
}

}  // namespace

Slice scan(Store& store, std::string_view prefix, std::uint64_t cursor, const SliceLimits& limits,
           const std::function<void(const Item&)>& visit) {
  store.begin_reading();
  const Memory& memory = store.mapping().memory;
  return run(store, cursor, limits,
             [&](Bucket& bucket, std::uint32_t) -> std::optional<std::uint64_t> {
               std::uint64_t items = 0;
               visit_chain(memory, &bucket, [&](auto&, SlotWord word) {
                 Record* record = record_at(memory, units_of(word));
                 if (record == nullptr || record->is_expired(store.now_ms())) return false;
                 if (!record->key().starts_with(prefix)) return false;
                 visit(item_of(*record));
                 ++items;
                 return false;
               });
               return items;
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

bool tend(Store& store, std::uint32_t shard) {
  LockedShard locked(store.mapping(), shard);
  if (!locked) return false;
  if (LockedShard::has_waste(store.mapping(), shard)) locked.reclaim();
  return true;
}

}  // namespace kvs

#include "modules/kvs/store/statistics.h"

namespace kvs {
namespace {

void add_shard(Statistics& sum, const Shard& shard) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  sum.items += shard.counters.items.load(kRelaxed);
  sum.cell_bytes += shard.counters.cell_bytes.load(kRelaxed);
  sum.expired += shard.counters.expired.load(kRelaxed);
  sum.evicted += shard.counters.evicted.load(kRelaxed);
  sum.repairs += shard.counters.repairs.load(kRelaxed);
  sum.collections += shard.counters.collections.load(kRelaxed);
  sum.retired += shard.retired.size();
}

}  // namespace

Statistics statistics(Store& store) {
  const Mapping& mapping = store.mapping();
  Statistics sum{.pages = mapping.pages.count()};
  for (const Shard& shard : mapping.shards) add_shard(sum, shard);
  for (std::uint32_t page = 0; page < mapping.pages.count(); ++page) {
    if (mapping.pages.use_of(page).kind == PageKind::kFree) ++sum.free_pages;
  }
  for (const ReaderSlot& slot : mapping.reader_slots) {
    if (slot.epoch.load(std::memory_order_relaxed) != kNotReading) ++sum.readers;
  }
  return sum;
}

}  // namespace kvs

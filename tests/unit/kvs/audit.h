// Whether a store is whole: nobody else may use it meanwhile.
#pragma once

#include <string>

#include "modules/kvs/store/store.h"

namespace kvs::testing {

// Empty, or what is wrong. Collects all garbage first; then every cell in use is a record in its
// place, a bucket of a chain, retired, or held, and no page is anything else.
inline std::string audit(Store& store) {
  store.end_batch();
  Mapping& mapping = store.mapping();
  for (std::uint32_t index = 0; index < mapping.shards.size(); ++index) {
    const std::string name = "shard " + std::to_string(index) + ": ";
    LockedShard shard(mapping, index);
    if (!shard) return name + "busy";
    for (int i = 0; i < 3; ++i) shard.reclaim();
    shard.cells().clear_marks();
    std::uint64_t items = 0;
    std::uint64_t bytes = 0;
    std::uint64_t known = 0;
    std::string wrong;
    const auto know = [&](Units units, const char* what) {
      if (shard.cells().is_marked(units)) wrong = std::string(what) + " twice";
      shard.cells().mark(units);
      if (!shard.cells().is_marked(units)) wrong = std::string(what) + " in no cell";
      ++known;
    };
    for (std::uint32_t i = 0; i < mapping.buckets_per_shard; ++i) {
      Bucket* bucket = &mapping.bucket(index, i);
      visit_chain(mapping.memory, bucket, [&](auto&, SlotWord word) {
        Record* record = record_at(mapping.memory, units_of(word));
        know(units_of(word), "record");
        ++items;
        bytes += shard.cells().bytes_at(units_of(word));
        const std::uint64_t hash = record == nullptr ? 0 : store.hash().of(record->key());
        if (record == nullptr || &mapping.bucket_of(hash) != bucket || !has_tag_of(word, hash)) {
          wrong = "record in a wrong place";
        } else if (record->bytes() > shard.cells().bytes_at(units_of(word))) {
          wrong = "record of a wrong size";
        }
        return false;
      });
      for (Units next = bucket->next.load(); next != 0;) {
        know(next, "bucket");
        next = reinterpret_cast<Bucket*>(mapping.memory.at(next, sizeof(Bucket)))->next.load();
      }
    }
    const RetiredCells& retired = shard.shard().retired;
    for (std::uint32_t i = 0; i < retired.size(); ++i) know(retired[i].units, "retired cell");
    for (const HoldWord hold : mapping.readers.held()) {
      if ((hold & kLetGo) != 0) continue;
      const bool is_mine = shard.cells().count_used() > 0;
      if (is_mine && !shard.cells().is_marked(held_units(hold))) {
        shard.cells().mark(held_units(hold));
        if (shard.cells().is_marked(held_units(hold))) ++known;
      }
    }
    if (!wrong.empty()) return name + wrong;
    const std::uint64_t used = shard.cells().count_used();
    if (used != known) {
      return name + std::to_string(used) + " cells in use, " + std::to_string(known) + " known";
    }
    if (items != shard.shard().counters.items.load()) return name + "items miscounted";
    if (bytes != shard.shard().counters.cell_bytes.load()) return name + "bytes miscounted";
    if (ChangeCounter::is_under_way(mapping.changes[index].load(std::memory_order_relaxed))) {
      return name + "a change is under way";
    }
  }
  return "";
}

}  // namespace kvs::testing

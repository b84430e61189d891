// What a shard needs beyond its daily work: repair when a holder of its lock has died, and the
// collection of cells that nobody has a note of. Both end in the same state if they are begun again
// in the middle, by whoever comes next.
#include <algorithm>

#include "modules/kvs/store/shard.h"

namespace kvs {
namespace {

// Calls on_record(units) for each record of a shard, and on_bucket(units) for each bucket that lies
// in a cell.
template <class OnRecord, class OnBucket>
void visit_shard(const Mapping& mapping, std::uint32_t shard, OnRecord on_record,
                 OnBucket on_bucket) {
  for (std::uint32_t i = 0; i < mapping.buckets_per_shard; ++i) {
    Bucket& first = mapping.bucket(shard, i);
    visit_chain(mapping.memory, &first, [&](auto&, SlotWord word) {
      on_record(units_of(word));
      return false;
    });
    Bucket* bucket = &first;
    for (std::size_t length = 1; length < kLongestChain; ++length) {
      const Units next = bucket->next.load(std::memory_order_relaxed);
      bucket = bucket_at(mapping.memory, next);
      if (bucket == nullptr) break;
      on_bucket(next);
    }
  }
}

}  // namespace

// What the dead one was about to publish is not there, what it had published is. A cell that it had
// taken, or unlinked and not yet noted, is in use by nobody: garbage. So is what was in the list of
// the retired, which may be torn. Buckets and records are left to the collection that has to look
// at them anyway, and then counts: until then there may be counted an item that there is not. cas
// is raised before it is used, so that word is never behind.
void LockedShard::repair() {
  mapping_.changes[index_].end_if_begun();
  shard_.retired.clear();
  shard_.pinned_retired = 0;
  mapping_.readers.abandon(static_cast<std::uint8_t>(index_));
  cells_.rebuild_lists();
  mapping_.pages.forget_failures();
  add(shard_.counters.repairs, 1);
  shard_.mutex.make_consistent();
}

void LockedShard::collect_garbage(Epoch safe) {
  auto& abandoned = mapping_.globals.abandoned[index_];
  // Acquire: with abandon(), by one who then lets go of what he held.
  Epoch epoch = abandoned.load(std::memory_order_acquire);
  if (epoch == 0 || epoch >= safe) return;
  // If more was abandoned since, that comes later; so it does if this process dies now (repair).
  if (!abandoned.compare_exchange_strong(epoch, 0, std::memory_order_acq_rel)) return;
  cells_.clear_marks();
  mark_published();
  mark_retired();
  mark_held();
  cells_.mark(in_hand_);
  cells_.free_unmarked();
  add(shard_.counters.collections, 1);
}

// And counts.
void LockedShard::mark_published() {
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  const auto on_record = [&](Units units) {
    ++items;
    bytes += cells_.mark(units);
  };
  visit_shard(mapping_, index_, on_record, [this](Units units) { cells_.mark(units); });
  shard_.counters.items.store(items, std::memory_order_relaxed);
  shard_.counters.cell_bytes.store(bytes, std::memory_order_relaxed);
}

void LockedShard::mark_retired() {
  for (std::uint32_t i = 0; i < shard_.retired.size(); ++i) cells_.mark(shard_.retired[i].units);
}

// What is pinned, and in no slot and no list, would stay behind when it is let go: it is noted
// again. What is reserved is published or freed under the lock by who reserved it; or else it is
// let go, and then abandoned: Readers::let_go(), whose first word is seen here if its second was
// seen when this collection began.
void LockedShard::mark_held() {
  for (const HoldWord hold : mapping_.readers.held()) {
    if ((hold & kLetGo) != 0) continue;
    const Units units = held_units(hold);
    const bool is_known = cells_.is_marked(units);
    cells_.mark(units);
    if (is_known || !cells_.is_marked(units) || hold == reserved(units)) continue;
    if (shard_.retired.is_full()) {
      mapping_.readers.abandon(static_cast<std::uint8_t>(index_));
    } else {
      shard_.retired.push({units, mapping_.readers.retire_epoch()});
      shard_.pinned_retired += 1;
    }
  }
}

}  // namespace kvs

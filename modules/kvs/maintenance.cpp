#include "modules/kvs/maintenance.h"

#include "modules/kvs/store/slices.h"

namespace kvs {
namespace {

constexpr std::uint32_t kLease = 0;
constexpr std::chrono::milliseconds kTenure{1'000};  // who is killed is replaced after that
constexpr std::chrono::microseconds kSweepTime{1'000};
constexpr std::uint32_t kShardsAtATime = 4;

using Clock = std::chrono::steady_clock;

}  // namespace

void Maintenance::tick() {
  is_mine_ = zone_.take(kLease, kTenure);
  if (!is_mine_) return;
  sweep();
  store_.end_batch();  // what was swept can be reclaimed then
  tend_some();
}

// Once through the store at most.
void Maintenance::sweep() {
  const auto end = Clock::now() + kSweepTime;
  Slice slice;
  do {
    slice = remove_expired(store_, cursor_, {.buckets = 64, .items = 64});
    cursor_ = slice.is_busy ? next_shard(slice.cursor) : slice.cursor;
  } while (cursor_ != 0 && !slice.must_end_batch && Clock::now() < end);
}

// One that is busy, for as long as its holder is stopped, has its turn when the others have had
// theirs.
std::uint64_t Maintenance::next_shard(std::uint64_t cursor) const {
  const Mapping& mapping = store_.mapping();
  const std::uint64_t next = (cursor / mapping.buckets_per_shard + 1) * mapping.buckets_per_shard;
  return next < mapping.buckets.size() ? next : 0;
}

void Maintenance::tend_some() {
  const auto shards = static_cast<std::uint32_t>(store_.mapping().shards.size());
  for (std::uint32_t i = 0; i < kShardsAtATime && i < shards; ++i) {
    static_cast<void>(tend(store_, shard_));  // busy: in its next turn
    shard_ = (shard_ + 1) % shards;
  }
}

}  // namespace kvs

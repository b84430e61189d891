#include "modules/kvs/metrics.h"

#include <utility>

namespace kvs {

void Metrics::tell(const kv1::Service& service) {
  for (std::uint32_t i = 0; i < kv1::kCounts; ++i) {
    const std::uint64_t now = service.counts[i];
    const std::uint64_t more = now - std::exchange(told_[i], now);
    if (more > 0) host_.count(i, more);
  }
}

void Metrics::tell_store(Store& store, bool is_mine) {
  const Statistics now = is_mine ? statistics(store) : Statistics{};
  const std::uint64_t values[kGauges] = {now.items,   now.cell_bytes, now.pages,  now.free_pages,
                                         now.expired, now.evicted,    now.repairs};
  for (std::uint32_t i = 0; i < kGauges; ++i) {
    host_.gauge(static_cast<std::uint32_t>(kv1::kCounts) + i, static_cast<std::int64_t>(values[i]));
  }
}

}  // namespace kvs

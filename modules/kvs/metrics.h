// What the key-value module tells to `drover -s status`: the counts of its sessions, and what is in
// the store, which is one for all workers and so told by one of them.
#pragma once

#include <array>
#include <cstddef>

#include "modules/kvs/kv1/service.h"
#include "modules/kvs/store/statistics.h"
#include "modules/sdk/module.hpp"

namespace kvs {

namespace detail {
constexpr drover::Metric counter(kv1::Count count) {
  const kv1::CountName& name = kv1::kCountNames[static_cast<std::size_t>(count)];
  return {.name = name.name, .kind = DROVER_COUNTER, .help = name.help};
}
constexpr drover::Metric gauge(const char* name, const char* help) {
  return {.name = name, .kind = DROVER_GAUGE, .help = help};
}
}  // namespace detail

// The counters in the order of kv1::Count, then the gauges in that of tell_store().
inline constexpr drover::Metric kMetrics[] = {
    detail::counter(kv1::Count::kRequests),
    detail::counter(kv1::Count::kHits),
    detail::counter(kv1::Count::kMisses),
    detail::counter(kv1::Count::kWrites),
    detail::counter(kv1::Count::kRefused),
    detail::counter(kv1::Count::kBusy),
    detail::counter(kv1::Count::kNoSpace),
    detail::counter(kv1::Count::kDenied),
    detail::counter(kv1::Count::kTooLong),
    detail::counter(kv1::Count::kBadFrames),
    detail::counter(kv1::Count::kCutFrames),
    detail::counter(kv1::Count::kLateFrames),
    detail::gauge("items", "items in the store"),
    detail::gauge("item_bytes", "bytes that they take, with all that belongs to one"),
    detail::gauge("pages", "pages of 64 KiB that the store has"),
    detail::gauge("free_pages", "of these, those that nobody uses"),
    detail::gauge("expired", "items removed by the sweep because their time was over"),
    detail::gauge("evicted", "items removed to make room"),
    detail::gauge("repairs", "shards put right after the death of a worker"),
};
inline constexpr std::size_t kGauges = 7;
static_assert(std::size(kMetrics) == kv1::kCounts + kGauges);

class Metrics {
 public:
  explicit Metrics(const drover::Host& host) : host_(host) {}

  // What has been counted since the last time.
  void tell(const kv1::Service& service);
  // `is_mine` false: another worker tells it.
  void tell_store(Store& store, bool is_mine);

 private:
  drover::Host host_;
  std::array<std::uint64_t, kv1::kCounts> told_{};
};

}  // namespace kvs

#include "master/metric_sums.h"

namespace drover {

void MetricSums::add(const MetricLayout& layout, std::span<const MetricCell> cells) {
  add_if(layout, cells, true);
}

void MetricSums::add_counters(const MetricLayout& layout, std::span<const MetricCell> cells) {
  add_if(layout, cells, false);
}

void MetricSums::add_if(const MetricLayout& layout, std::span<const MetricCell> cells,
                        bool with_gauges) {
  for (const MetricLayout::Server& server : layout.servers) {
    for (std::size_t i = 0; i < server.metrics.size(); ++i) {
      const Metric& metric = server.metrics[i];
      if (metric.kind == MetricKind::kGauge && !with_gauges) continue;
      sums_[key_of(server, metric)] += cells[server.first + i].load(std::memory_order_relaxed);
    }
  }
}

void MetricSums::add_counters(const MetricSums& others) {
  for (const auto& [key, value] : others.sums_) {
    if (std::get<MetricKind>(key) == MetricKind::kCounter) sums_[key] += value;
  }
}

void MetricSums::add_counter(const CounterValue& counter) {
  sums_[{counter.server, counter.module, counter.name, MetricKind::kCounter}] += counter.value;
}

std::vector<CounterValue> MetricSums::counters() const {
  std::vector<CounterValue> all;
  for (const auto& [key, value] : sums_) {
    const auto& [server, module, name, kind] = key;
    if (kind == MetricKind::kCounter) all.push_back({server, module, name, value});
  }
  return all;
}

std::string MetricSums::text(const MetricLayout::Server& server, const Metric& metric) const {
  const auto found = sums_.find(key_of(server, metric));
  const std::uint64_t sum = found == sums_.end() ? 0 : found->second;
  return metric.kind == MetricKind::kGauge ? std::to_string(static_cast<std::int64_t>(sum))
                                           : std::to_string(sum);
}

}  // namespace drover

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

void MetricSums::add_counters(const std::vector<MasterHeritage::Counter>& counters) {
  for (const MasterHeritage::Counter& each : counters)
    sums_[{each.server, each.module, each.name, MetricKind::kCounter}] += each.value;
}

std::vector<MasterHeritage::Counter> MetricSums::counters() const {
  std::vector<MasterHeritage::Counter> all;
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

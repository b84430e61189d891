#include "worker/module_metrics.h"

#include <fmt/format.h>

#include "worker/module_rows.h"

namespace drover {
namespace {

using MetricRowOfModule = struct ::drover_metric;

constexpr RowRules kRules{.row = "metric",
                          .table = "metrics",
                          .least = offsetof(MetricRowOfModule, help) + sizeof(char*),
                          .most = kMaxMetrics};
static_assert(kMaxMetrics == DROVER_MOST_METRICS);

}  // namespace

Result<Metrics> read_metric_table(const struct ::drover_module& module) {
  DROVER_TRY(const std::vector<MetricRowOfModule> rows,
             copy_rows(module.metrics, module.metric_count, kRules));
  Metrics metrics;
  for (const MetricRowOfModule& row : rows) {
    const unsigned kind = as_number(row.kind);
    if (kind > DROVER_GAUGE)
      return Error(fmt::format("metric {}: has the unknown kind {}", metrics.size() + 1, kind));
    metrics.push_back({kind == DROVER_COUNTER ? MetricKind::kCounter : MetricKind::kGauge,
                       row.name == nullptr ? "" : row.name, row.help == nullptr ? "" : row.help});
  }
  DROVER_TRY_DO(check_metrics(metrics));
  return metrics;
}

ServerMetrics::ServerMetrics(const Metrics& table, std::span<MetricCell> cells) : cells_(cells) {
  for (const Metric& metric : table) kinds_.push_back(metric.kind);
}

// A cell has one writer, so a load and a store are enough.
bool ServerMetrics::add(std::uint32_t index, std::uint64_t by) {
  if (!has(index, MetricKind::kCounter)) return false;
  if (cells_.empty()) return true;
  MetricCell& cell = cells_[index];
  cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  return true;
}

bool ServerMetrics::set(std::uint32_t index, std::int64_t value) {
  if (!has(index, MetricKind::kGauge)) return false;
  if (!cells_.empty())
    cells_[index].store(static_cast<std::uint64_t>(value), std::memory_order_relaxed);
  return true;
}

}  // namespace drover

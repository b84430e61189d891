// What a module counts: its table as this process reads it, and the cells of one server that
// `count` and `gauge` write to.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "common/metrics.h"
#include "modules/sdk/drover_module.h"

namespace drover {

// An error says which row is wrong and why: the module must be refused.
[[nodiscard]] Result<Metrics> read_metric_table(const struct ::drover_module& module);

class ServerMetrics {
 public:
  ServerMetrics() = default;
  // A cell for each of the table, or none: then what is counted is thrown away, as in the
  // validator.
  ServerMetrics(const Metrics& table, std::span<MetricCell> cells);

  // False: the module has no such metric, or it is of the other kind.
  bool add(std::uint32_t index, std::uint64_t by);
  bool set(std::uint32_t index, std::int64_t value);
  // True the first time: a module that counts wrongly does so at each message.
  [[nodiscard]] bool may_complain() { return !std::exchange(has_complained_, true); }

 private:
  [[nodiscard]] bool has(std::uint32_t index, MetricKind kind) const {
    return index < kinds_.size() && kinds_[index] == kind;
  }
  std::vector<MetricKind> kinds_;
  std::span<MetricCell> cells_;
  bool has_complained_ = false;
};

}  // namespace drover

// The sums over processes of what modules count, by server, module, name and kind: so a counter
// goes on over reloads as long as it is the same.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "common/metrics.h"

namespace drover {

// A counter of a module, as far as it has come.
struct CounterValue {
  std::string server;
  std::string module;
  std::string name;
  std::uint64_t value = 0;
};

class MetricSums {
 public:
  // What a living process has.
  void add(const MetricLayout& layout, std::span<const MetricCell> cells);
  // What a process that is gone leaves: its gauges say nothing any more.
  void add_counters(const MetricLayout& layout, std::span<const MetricCell> cells);

  // What others have added up.
  void add_counters(const MetricSums& others);
  void add_counter(const CounterValue& counter);
  [[nodiscard]] std::vector<CounterValue> counters() const;

  // As it is printed.
  [[nodiscard]] std::string text(const MetricLayout::Server& server, const Metric& metric) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string, MetricKind>;
  static Key key_of(const MetricLayout::Server& server, const Metric& metric) {
    return {server.name, server.module, metric.name, metric.kind};
  }
  void add_if(const MetricLayout& layout, std::span<const MetricCell> cells, bool with_gauges);

  // Unsigned also for gauges: a worker that has gone wild may overflow them.
  std::map<Key, std::uint64_t> sums_;
};

}  // namespace drover

// Counters and gauges that modules declare. A module's table is read by the validator, which tells
// the master the names (a child's word: checked again there); each worker has a row of cells, one
// for each metric of each server, that it alone writes and the master sums up.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace drover {

inline constexpr std::size_t kMaxMetrics = 32;  // of one module
inline constexpr std::size_t kMaxMetricName = 47;
inline constexpr std::size_t kMaxMetricHelp = 160;

enum class MetricKind : std::uint8_t { kCounter, kGauge };
[[nodiscard]] const char* to_string(MetricKind kind);

struct Metric {
  MetricKind kind = MetricKind::kCounter;
  std::string name;  // a-z, 0-9 and _
  std::string help;  // printable ASCII, may be empty
  bool operator==(const Metric&) const = default;
};
using Metrics = std::vector<Metric>;

// Too many, a name that is none or there twice, a help that is too long or not printable.
[[nodiscard]] Status check_metrics(const Metrics& metrics);

// What the validator says of one module: the body of kMetrics.
struct ModuleMetrics {
  std::string module;
  Metrics metrics;
};
[[nodiscard]] std::string encode_metrics(const ModuleMetrics& report);
// Takes whatever a child may have sent; what it gives is as check_metrics() wants it.
[[nodiscard]] Result<ModuleMetrics> decode_metrics(std::string_view body);

// Which cell of a worker's row is whose: the metrics of each server in the order of
// Settings::servers, one behind the other.
struct MetricLayout {
  std::uint32_t generation = 0;
  struct Server {
    std::string name;
    std::string module;
    Metrics metrics;
    std::size_t first = 0;  // cell
  };
  std::vector<Server> servers;
  std::size_t cells = 0;

  void add(std::string server, std::string module, Metrics metrics);
};

// A counter's count, or a gauge's value as two's complement.
using MetricCell = std::atomic<std::uint64_t>;
static_assert(MetricCell::is_always_lock_free);

}  // namespace drover

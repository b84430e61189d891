// What `drover -s status` says, from the generations and the scoreboard, as JSON or as a table for
// people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "master/generation.h"
#include "master/metric_sums.h"
#include "master/recovery.h"
#include "master/totals.h"

namespace drover {

struct StatusSource {
  int pid = 0;
  Millis uptime{0};
  std::vector<const Generation*> generations;  // the serving one first
  Totals retired;                              // of all processes that are gone
  MetricSums metrics;
  LimitTable* limits = nullptr;
  const Recovery* recovery = nullptr;
};

[[nodiscard]] std::string status_json(const StatusSource& source);
[[nodiscard]] std::string status_table(const StatusSource& source);

// Largest share over the mean of the accepted connections of a generation's slots; 1 is perfect, 0
// when there are none.
[[nodiscard]] double balance_of(const std::vector<std::uint64_t>& accepted);

}  // namespace drover

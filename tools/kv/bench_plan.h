// What `bench` is asked to do, and what came of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"
#include "tools/kv/latency_histogram.h"

namespace drover::kv {

// Weights: 90, 10, 0 is as 9, 1, 0.
struct Mix {
  std::int64_t get = 90;
  std::int64_t set = 10;
  std::int64_t lpm = 0;

  [[nodiscard]] std::int64_t total() const { return get + set + lpm; }
};

// "get=80,set=15,lpm=5"; what is not named is 0.
[[nodiscard]] Result<Mix> parse_mix(std::string_view text);

struct BenchPlan {
  std::int64_t connections = 8;
  std::int64_t depth = 16;  // requests on their way on each connection
  std::int64_t requests = 100'000;
  std::chrono::milliseconds duration{0};  // in the place of `requests`, if it is not 0
  std::int64_t keys = 10'000;
  std::int64_t value_bytes = 64;
  Mix mix;
};

struct BenchResult {
  std::uint64_t requests = 0;  // answered
  std::uint64_t misses = 0;    // of them, NOT_FOUND
  std::uint64_t refused = 0;   // of them, neither OK nor NOT_FOUND
  std::chrono::nanoseconds elapsed{0};
  LatencyHistogram latency;
};

// Lines "name value"; names and their order stay.
[[nodiscard]] std::string bench_text(const BenchResult& result);
// The same names, as one object on one line.
[[nodiscard]] std::string bench_json(const BenchResult& result);

}  // namespace drover::kv

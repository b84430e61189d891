// The counters of SlotCounters as plain numbers, to be added up and printed; one table row a
// counter.
#pragma once

#include <array>
#include <cstdint>

#include "common/scoreboard.h"

namespace drover {

struct CounterRow {
  const char* name;
  std::atomic<std::uint64_t> SlotCounters::*member;
};

inline constexpr std::array<CounterRow, 13> kCounters{{
    {"accepted", &SlotCounters::accepted},
    {"empty_wakeups", &SlotCounters::empty_wakeups},
    {"steered", &SlotCounters::steered},
    {"outgoing", &SlotCounters::outgoing},
    {"streams_opened", &SlotCounters::streams_opened},
    {"closed", &SlotCounters::closed},
    {"refused_limit", &SlotCounters::refused_limit},
    {"refused_access", &SlotCounters::refused_access},
    {"accept_pauses", &SlotCounters::accept_pauses},
    {"drained_cut", &SlotCounters::drained_cut},
    {"stale_handles", &SlotCounters::stale_handles},
    {"bytes_in", &SlotCounters::bytes_in},
    {"bytes_out", &SlotCounters::bytes_out},
}};

// In the order of kCounters.
struct Totals {
  std::array<std::uint64_t, kCounters.size()> values{};

  void add(const SlotCounters& counters) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] += (counters.*kCounters[i].member).load(std::memory_order_relaxed);
    }
  }
  void add(const Totals& other) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += other.values[i];
  }
};

}  // namespace drover

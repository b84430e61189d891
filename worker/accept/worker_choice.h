// Which worker gets the next connection of the acceptor. Pure: numbers in, a slot out.
#pragma once

#include <cstdint>
#include <span>

#include "common/settings.h"

namespace drover {

// A slot as the acceptor sees it.
struct WorkerLoad {
  bool usable = false;         // served, not steered around, its pair not full
  std::uint32_t live = 0;      // by the scoreboard, plus what was sent and is not counted there yet
  std::uint32_t capacity = 0;  // 0: not started
  std::uint64_t last_sent = 0;  // when it got its last connection, in connections sent; 0: never

  [[nodiscard]] std::uint32_t room() const {
    return usable && live < capacity ? capacity - live : 0;
  }
};

// An index into `loads` with room, -1: nobody has. kLeastLoaded takes the fewest live connections,
// among equals the one that has waited longest for a connection, which spreads short sequential
// ones evenly and lets a refilled worker join without catching up. kRoundRobin takes the one that
// has waited longest.
[[nodiscard]] int choose_worker(AcceptorBalance balance, std::span<const WorkerLoad> loads);

}  // namespace drover

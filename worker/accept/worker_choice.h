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

// How much more than the least loaded a worker may have and still get its turn: what is known of
// the loads is a loop turn old, and to follow it to the last connection would give most of them to
// whoever happens to publish first.
inline constexpr std::uint32_t kLoadSlack = 4;       // connections
inline constexpr std::uint32_t kLoadSlackPart = 16;  // of the fewest live, where that is more

// An index into `loads` with room, -1: nobody has. kLeastLoaded takes, of those within the slack of
// the fewest live connections, the one that has waited longest for a connection: short sequential
// ones are spread evenly, and a refilled worker catches up first. kRoundRobin takes the one that
// has waited longest.
[[nodiscard]] int choose_worker(AcceptorBalance balance, std::span<const WorkerLoad> loads);

}  // namespace drover

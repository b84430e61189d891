// What one process may know of another slot: its seat on the scoreboard.
#pragma once

#include "common/heritage.h"

namespace drover {

// The seat of the process that serves a slot of this generation now; null: none.
[[nodiscard]] inline const Seat* seat_of_slot(const Heritage& heritage, int slot) {
  const auto index = static_cast<std::size_t>(slot);
  const int seat = heritage.board().seat_of_slot[index].load(std::memory_order_relaxed);
  if (seat < 0 || seat >= kMaxSeats) return nullptr;
  return &heritage.scoreboard->seats[static_cast<std::size_t>(seat)];
}

// Whether new connections may be given to the slot at all: a process serves it, is not draining and
// not steered around.
[[nodiscard]] inline bool is_slot_usable(const Heritage& heritage, int slot) {
  const Seat* seat = seat_of_slot(heritage, slot);
  return seat != nullptr && seat->state.load(std::memory_order_relaxed) != SeatState::kDraining &&
         !heritage.board().is_steered_around(slot);
}

}  // namespace drover

// What one process may know of the other slots: their seats on the scoreboard.
#pragma once

#include <algorithm>
#include <cstdint>

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

// How many connections its worker says that it can take.
[[nodiscard]] inline std::uint32_t room_of_slot(const Heritage& heritage, int slot) {
  const Seat* seat = seat_of_slot(heritage, slot);
  if (seat == nullptr) return 0;
  const std::uint32_t capacity = seat->capacity.load(std::memory_order_relaxed);
  return capacity - std::min(capacity, seat->live.load());
}

// The first slot after `slot`, in a ring of `slots`, for which is_wanted(slot) is true; -1: no
// other.
template <class Predicate>
[[nodiscard]] int next_in_ring(int slot, int slots, Predicate is_wanted) {
  for (int step = 1; step < slots; ++step) {
    const int next = (slot + step) % slots;
    if (is_wanted(next)) return next;
  }
  return -1;
}

}  // namespace drover

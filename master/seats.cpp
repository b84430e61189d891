#include "master/seats.h"

#include <new>

namespace drover {
namespace {

constexpr Millis kRecountAgain{50};

}  // namespace

Seats::Seats(MasterContext& context)
    : context_(context), ledgers_(kMaxSeats), pids_(kMaxSeats, 0), is_taken_(kMaxSeats, false) {}

Result<Seats::Lease> Seats::take(std::size_t connections) {
  for (int index = 0; index < kMaxSeats; ++index) {
    const auto i = static_cast<std::size_t>(index);
    if (is_taken_[i]) continue;
    if (connections > 0) {
      DROVER_TRY(ledgers_[i], make_ledger(connections));
    }
    is_taken_[i] = true;
    pids_[i] = 0;
    new (&at(index)) Seat;
    return Lease(this, index);
  }
  return Error("no seat is left on the scoreboard: too many processes are draining");
}

void Seats::release(int index) {
  const auto i = static_cast<std::size_t>(index);
  at(index).state.store(SeatState::kFree);
  if (at(index).slot >= 0) retired_.add(at(index).counters);
  is_taken_[i] = false;
  if (pids_[i] > 0) context_.limits->release_locks_of(pids_[i]);
  if (ledgers_[i] == nullptr) return;
  ledgers_[i].reset();
  recount_.start(context_.base, Millis{0}, this);
}

// What the dead process held is given back by counting what the living hold. A shard whose lock is
// held by a stopped process is tried again later.
void Seats::recount() {
  std::vector<ConnectionLedger*> living;
  for (const auto& ledger : ledgers_) {
    if (ledger != nullptr) living.push_back(ledger.get());
  }
  if (!context_.limits->recount(living)) recount_.start(context_.base, kRecountAgain, this);
}

}  // namespace drover

#include "worker/accept/passer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "worker/accept/slots.h"

namespace drover {
namespace {

// The turn that was under way when something was sent may have missed it, the next has not.
// (Milliseconds of the heartbeat are too coarse: a worker serves several connections in one.)
constexpr std::uint64_t kTurnsToSee = 2;

std::uint64_t turns_of(const Seat* seat) {
  return seat == nullptr ? 0 : seat->turns.load(std::memory_order_acquire);
}

}  // namespace

Passer::Passer(const Heritage& heritage)
    : heritage_(heritage),
      batches_(static_cast<std::size_t>(heritage.slots)),
      loads_(batches_.size()),
      unseen_(batches_.size()) {
  for (const ListenerHeritage& listener : heritage.listeners) {
    balance_of_[listener.id] = heritage.settings->servers.at(listener.server).acceptor_balance;
  }
}

void Passer::look() {
  for (int slot = 0; slot < heritage_.slots; ++slot) {
    loads_[static_cast<std::size_t>(slot)] = load_of(slot);
  }
  count_room();
}

// A pair that is full puts its slot out until the next look, and its share is spread again.
void Passer::flush() {
  while (spread()) {
    for (std::size_t slot = 0; slot < batches_.size(); ++slot) {
      if (!batches_[slot].empty()) send(slot);
    }
  }
  count_room();
}

// Moves what is held into batches; what finds no room stays. False: nothing to send.
bool Passer::spread() {
  bool moved = false;
  std::vector<Passed> left;
  for (Passed& passed : held_) {
    const int slot = choose_worker(balance_of_[passed.listener_id], loads_);
    if (slot < 0) {
      left.push_back(std::move(passed));
      continue;
    }
    const auto index = static_cast<std::size_t>(slot);
    ++loads_[index].live;
    loads_[index].last_sent = ++chosen_;
    batches_[index].push_back(std::move(passed));
    moved = true;
  }
  held_ = std::move(left);
  return moved;
}

// Any failure means "not to this one now": the pair is full, or too many descriptors of this user
// are under way.
void Passer::send(std::size_t slot) {
  std::vector<Passed> batch = std::exchange(batches_[slot], {});
  std::span<const Passed> rest = batch;
  while (!rest.empty()) {
    const auto part = rest.first(std::min(rest.size(), kMaxPassed));
    const std::uint64_t turns = turns_of(seat_of_slot(heritage_, static_cast<int>(slot)));
    if (send_batch(heritage_.passing[slot].send_fd, part) != 0) break;
    unseen_[slot].count += static_cast<std::uint32_t>(part.size());
    unseen_[slot].turns = turns;  // from before: the worker may be done already
    rest = rest.subspan(part.size());
  }
  if (rest.empty()) return;
  loads_[slot].usable = false;
  std::move(batch.end() - std::ssize(rest), batch.end(), std::back_inserter(held_));
}

WorkerLoad Passer::load_of(int slot) {
  const auto index = static_cast<std::size_t>(slot);
  WorkerLoad load{.last_sent = loads_[index].last_sent};
  const Seat* seat = seat_of_slot(heritage_, slot);
  if (seat == nullptr || !is_slot_usable(heritage_, slot)) return load;
  Unseen& unseen = unseen_[index];
  const std::uint64_t turns = turns_of(seat);
  unseen.turns = std::min(unseen.turns, turns);  // a successor counts from the beginning
  if (turns - unseen.turns >= kTurnsToSee) unseen.count = 0;
  load.usable = true;
  load.live = seat->live.load(std::memory_order_relaxed) + unseen.count;
  load.capacity = seat->capacity.load(std::memory_order_relaxed);
  return load;
}

void Passer::count_room() {
  room_ = 0;
  for (const WorkerLoad& load : loads_) room_ += load.room();
}

}  // namespace drover

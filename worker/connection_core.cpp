#include "worker/connection_core.h"

#include <algorithm>

#include "worker/admission.h"
#include "worker/connection.h"

namespace drover {
namespace {

constexpr Millis kSettling{5};  // of a turn, beyond the first round: others want theirs

}  // namespace

ConnectionCore::ConnectionCore(const CoreOptions& options, Listener* listener)
    : options_(options),
      listener_(listener),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBuffer)),
      gather_({read_buffer_.get(), kReadBuffer}),
      lent_({read_buffer_.get(), kReadBuffer}),
      table_(options.capacity + options.streams),
      timers_(*this, options.base, options.capacity + options.streams),
      streams_(options.capacity + options.streams),
      now_(options.clock()) {
  end_of_batch_.prepare(options_.base, this);
}

void ConnectionCore::end_all(drover_close_reason reason) {
  table_.for_each([reason](Connection& connection) { connection.end(reason); });
}

void ConnectionCore::begin_batch() {
  if (in_batch_) return;
  in_batch_ = true;
  now_ = options_.clock();
  turn_began_ = std::chrono::steady_clock::now();
  options_.seat->heartbeat_ms.store(now_.count(), std::memory_order_relaxed);
  end_of_batch_.activate();
}

void ConnectionCore::on_end_of_batch() {
  lingering_.call_surplus();
  do {
    do {
      settle_round();
    } while (may_settle_more());
  } while (listener_ != nullptr && listener_->on_batch_ending() && may_settle_more());
  // A timer, unlike activate(), lets the loop look at everybody else first.
  if (!unsettled_.empty()) more_to_settle_.start(options_.base, Millis{0}, this);
  timers_.arm();
  in_batch_ = false;
  account_turn();
  if (listener_ != nullptr) listener_->on_batch_end();
}

// Settling may call hooks, which may write to others: their turn comes in the next round.
void ConnectionCore::settle_round() {
  settling_.swap(unsettled_);
  for (const drover_conn handle : settling_) {
    if (Connection* connection = table_.find(handle)) connection->on_turn();
  }
  settling_.clear();
}

// A stream, the connection that carries it and a client that reads fast could go on for ever.
bool ConnectionCore::may_settle_more() const {
  return !unsettled_.empty() && std::chrono::steady_clock::now() - turn_began_ < kSettling;
}

void ConnectionCore::account_turn() {
  last_turn_ = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - turn_began_);
  const auto turn_us = static_cast<std::uint32_t>(last_turn_.count());
  turn_lengths_.add(now_, turn_us);
  auto& longest = options_.seat->loop_max_us;  // told at once: the next turn may never end
  if (turn_us > longest.load(std::memory_order_relaxed))
    longest.store(turn_us, std::memory_order_relaxed);
  options_.seat->live.store(static_cast<std::uint32_t>(sockets()), std::memory_order_relaxed);
  options_.seat->streams.store(static_cast<std::uint32_t>(streams_.size()),
                               std::memory_order_relaxed);
  options_.seat->turns.fetch_add(1, std::memory_order_release);
}

void ConnectionCore::tell_turn_lengths() {
  const TurnLengths::Summary lengths = turn_lengths_.summary(now_);
  options_.seat->loop_max_us.store(lengths.max_us, std::memory_order_relaxed);
  options_.seat->loop_p99_us.store(lengths.p99_us, std::memory_order_relaxed);
}

void ConnectionCore::sweep() {
  tell_turn_lengths();
  table_.for_each_due(now_, [](Connection& connection) { connection.on_deadline(); });
  std::erase_if(unreturned_, [this](const Unreturned& entry) {
    if (!entry.admission->give_back(entry.index)) return false;
    table_.recycle(entry.index);
    return true;
  });
}

void ConnectionCore::recycle(std::uint32_t index, Admission& admission) {
  if (admission.give_back(index)) {
    table_.recycle(index);
  } else {
    unreturned_.push_back({index, &admission});
  }
}

}  // namespace drover

#include "master/seats.h"

#include <algorithm>
#include <new>

namespace drover {
namespace {

constexpr Millis kRecountAgain{50};

}  // namespace

Seats::Seats(MasterContext& context)
    : context_(context),
      ledgers_(kMaxSeats),
      metered_(kMaxSeats),
      pids_(kMaxSeats, 0),
      is_taken_(kMaxSeats, false) {}

Result<Seats::Lease> Seats::take(std::size_t connections,
                                 std::shared_ptr<const MetricLayout> metrics) {
  const auto free = std::ranges::find(is_taken_, false);
  if (free == is_taken_.end())
    return Error("no seat is left on the scoreboard: too many processes are draining");
  const auto i = static_cast<std::size_t>(free - is_taken_.begin());
  std::unique_ptr<ConnectionLedger> ledger;
  if (connections > 0) {
    DROVER_TRY(ledger, make_ledger(connections));
  }
  ledgers_[i] = std::move(ledger);
  metered_[i] = {std::move(metrics), {}};
  is_taken_[i] = true;
  pids_[i] = 0;
  const int index = static_cast<int>(i);
  if (const auto& layout = metered_[i].layout)
    metered_[i].row = context_.metrics->take_row(index, *layout);
  new (&at(index)) Seat;
  return Lease(this, index);
}

void Seats::release(int index) {
  if (has_left_) return;
  const auto i = static_cast<std::size_t>(index);
  at(index).state.store(SeatState::kFree);
  if (at(index).slot >= 0) {
    Totals gone;
    gone.add(at(index).counters);
    add_retired(gone);
  }
  if (const Metered gone = std::exchange(metered_[i], {}); gone.layout != nullptr) {
    retired_metrics_.add_counters(*gone.layout, gone.row);
    context_.metrics->release_row(index, retired_metrics_);
  }
  is_taken_[i] = false;
  if (pids_[i] > 0) context_.limits->release_locks_of(pids_[i]);
  if (ledgers_[i] == nullptr) return;
  ledgers_[i].reset();
  recount_.start(context_.base, Millis{0}, this);
}

// On the scoreboard, too, for who comes after.
void Seats::add_retired(const Totals& totals) {
  retired_.add(totals);
  static_assert(kCounters.size() <= kMostRetired);
  for (std::size_t i = 0; i < retired_.values.size(); ++i)
    context_.scoreboard->head.retired[i] = retired_.values[i];
}

void Seats::add_retired(const MetricSums& counters) {
  retired_metrics_.add_counters(counters);
  context_.metrics->retire(retired_metrics_);
}

MetricSums Seats::metrics() const {
  MetricSums sums = retired_metrics_;
  for (const Metered& each : metered_) {
    if (each.layout != nullptr) sums.add(*each.layout, each.row);
  }
  return sums;
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

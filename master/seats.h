// Who sits where on the scoreboard, and the ledger that goes with a seat. A seat is given back when
// its process has been reaped; its counters go to the totals, and the limits are counted again
// without it, once for all that left in one turn of the loop.
#pragma once

#include <sys/types.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/limit_table.h"
#include "common/scoreboard.h"
#include "master/context.h"
#include "master/metric_sums.h"
#include "master/totals.h"

namespace drover {

class Seats {
 public:
  // A taken seat; gives it back when destroyed.
  class Lease {
   public:
    Lease(Seats* seats, int index) : seats_(seats), index_(index) {}
    Lease(Lease&& other) noexcept : seats_(other.seats_), index_(std::exchange(other.index_, -1)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (index_ >= 0) seats_->release(index_);
    }
    [[nodiscard]] int index() const { return index_; }
    [[nodiscard]] Seat& operator*() const { return seats_->at(index_); }
    [[nodiscard]] Seat* operator->() const { return &seats_->at(index_); }
    [[nodiscard]] ConnectionLedger* ledger() const {
      return seats_->ledgers_[static_cast<std::size_t>(index_)].get();
    }
    [[nodiscard]] std::span<MetricCell> metrics() const {
      return seats_->metered_[static_cast<std::size_t>(index_)].row;
    }
    // Says who sits here. (The pid on the scoreboard is the process's to overwrite.)
    void give_to(pid_t pid) const { seats_->pids_[static_cast<std::size_t>(index_)] = pid; }

   private:
    Seats* seats_;
    int index_;
  };

  explicit Seats(MasterContext& context);

  // A cleared seat with a ledger for so many connections (0: none) and a row of metrics (null:
  // none). An error when all are taken, or when there is no memory for these.
  Result<Lease> take(std::size_t connections, std::shared_ptr<const MetricLayout> metrics = {});

  // From now on no seat is given back: this master leaves before those who sit there, and whoever
  // comes after it is to find them.
  void leave() { has_left_ = true; }

  // Sums of all seats that were given back.
  [[nodiscard]] const Totals& retired() const { return retired_; }
  // What was counted before this master.
  void add_retired(const Totals& totals);
  void add_retired(const MetricSums& counters);
  // Of everybody, with the counters of seats that were given back; gauges, too, and by this
  // master's own word for what lies where.
  [[nodiscard]] MetricSums metrics() const;

 private:
  [[nodiscard]] Seat& at(int index) const {
    return context_.scoreboard->seats[static_cast<std::size_t>(index)];
  }
  void release(int index);
  void recount();

  MasterContext& context_;
  std::vector<std::unique_ptr<ConnectionLedger>> ledgers_;  // by seat, null where there is none
  struct Metered {
    std::shared_ptr<const MetricLayout> layout;
    std::span<MetricCell> row;
  };
  std::vector<Metered> metered_;  // by seat, null where nothing is counted
  std::vector<pid_t> pids_;       // by seat, 0 before the fork
  std::vector<bool> is_taken_;
  bool has_left_ = false;
  Totals retired_;
  MetricSums retired_metrics_;
  Timer<&Seats::recount> recount_;
};

}  // namespace drover

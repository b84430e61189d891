#include "master/predecessors.h"

#include <csignal>
#include <tuple>

#include "common/process.h"

namespace drover {
namespace {

constexpr Millis kLook{250};
constexpr Millis kOverdue{5'000};  // more than a master gives its own (Generation)

}  // namespace

// After all its children.
bool Predecessors::has_left_in_order(const One& one) { return one.head->master_pid.load() == 0; }

// The pid is what the heritage said, from before any worker could have written another.
bool Predecessors::has_master(const One& one) {
  return !has_left_in_order(one) && has_mapped(one.pid, one.inode);
}

std::vector<const Seat*> Predecessors::living(const One& one) {
  std::vector<const Seat*> seats;
  if (one.board == nullptr) return seats;
  for (const Seat& seat : one.board->seats) {
    if (is_alive(seat, one.inode)) seats.push_back(&seat);
  }
  return seats;
}

Totals Predecessors::totals_of(const One& one) {
  Totals totals;
  for (std::size_t i = 0; i < totals.values.size(); ++i) {
    totals.values[i] = one.head->retired[i].load(std::memory_order_relaxed);
  }
  if (one.board == nullptr) return totals;
  for (const Seat& seat : one.board->seats) {
    if (seat.state.load() != SeatState::kFree && seat.slot >= 0) totals.add(seat.counters);
  }
  return totals;
}

Predecessors::Counted Predecessors::counted_by(const One& one) {
  return {totals_of(one), one.metrics ? one.metrics->counters() : MetricSums()};
}

void Predecessors::add(pid_t pid, UniqueFd scoreboard_fd, UniqueFd metrics_fd) {
  auto head = map_scoreboard_head(scoreboard_fd.get());
  auto board = map_scoreboard(scoreboard_fd.get());
  if (!board) context_.log->warning("pid {} is not counted: {}", pid, board.error().message());
  if (!head) return;
  all_.push_back({pid, std::move(scoreboard_fd), 0, std::move(head).value(),
                  board ? std::move(board).value() : nullptr, std::nullopt});
  if (auto metrics = MetricBoard::map(std::move(metrics_fd)))
    all_.back().metrics = std::move(metrics).value();
  else
    context_.log->warning("pid {}: {}", pid, metrics.error().message());
  all_.back().inode = inode_of_scoreboard(all_.back().fd.get());
  if (all_.size() == 1)
    context_.predecessor = all_.front().head.get();  // the last one is the judge
  tell_the_unborn();
}

void Predecessors::let_go() {
  pause();
  all_.clear();
  context_.predecessor = nullptr;
  tell_the_unborn();
}

// Children know those who were there at their fork, and by `is_counted` who has gone since.
void Predecessors::tell_the_unborn() {
  context_.predecessors.clear();
  for (const One& one : all_) {
    const int metrics_fd = one.metrics ? one.metrics->fd() : -1;
    context_.predecessors.push_back({one.pid, one.fd.get(), metrics_fd});
  }
}

void Predecessors::start(Millis orphans_timeout) {
  orphans_timeout_ = orphans_timeout;
  if (all_.empty()) return;
  for (One& one : all_) see_off(one, monotonic_now());
  tick_.start_every(context_.base, kLook, this);
}

bool Predecessors::is_gone(const One& one, Millis now) {
  if (has_master(one)) return false;
  if (one.board != nullptr) return living(one).empty();
  const std::int64_t leave_by = one.head->leave_by_ms.load();
  return has_left_in_order(one) || (leave_by != 0 && now.count() - leave_by >= kOverdue.count());
}

void Predecessors::on_tick() {
  const Millis now = monotonic_now();
  for (auto one = all_.begin(); one != all_.end();) {
    see_off(*one, now);
    if (!is_gone(*one, now)) {
      ++one;
      continue;
    }
    const auto [pid, counted, was_unwatched] =
        std::tuple(one->pid, counted_by(*one), !has_left_in_order(*one));
    one->head->is_counted = true;
    one = all_.erase(one);
    tell_the_unborn();
    owner_->on_predecessor_gone(pid, counted, was_unwatched);
  }
  if (all_.empty()) tick_.stop();
}

// A living master sees its own processes off, in time.
void Predecessors::see_off(One& one, Millis now) {
  std::atomic<std::int64_t>& leave_by = one.head->leave_by_ms;
  if (leave_by.load() == 0 && !has_master(one)) leave_by = (now + orphans_timeout_).count();
  const bool is_overdue = leave_by.load() != 0 && now.count() - leave_by.load() >= kOverdue.count();
  if (is_overdue) kill_all(one);
}

void Predecessors::kill_all(const One& one) {
  if (has_master(one)) ::kill(one.pid, SIGKILL);
  for (const Seat* seat : living(one)) {
    context_.log->warning("orphan overdue: pid={}, killing it", seat->pid.load());
    ::kill(seat->pid.load(), SIGKILL);
  }
}

void Predecessors::leave_by(Millis deadline, std::size_t spared) {
  for (const One& one : all_) {
    if (spared > 0) {
      --spared;
      continue;
    }
    tell_to_leave(*one.head, deadline);
  }
}

Predecessors::Counted Predecessors::counted() const {
  Counted sum;
  for (const One& one : all_) {
    const Counted each = counted_by(one);
    sum.totals.add(each.totals);
    sum.metrics.add_counters(each.metrics);
  }
  return sum;
}

std::vector<Predecessors::Remains> Predecessors::remains() const {
  std::vector<Remains> all;
  for (const One& one : all_) {
    all.push_back({one.pid});
    for (const Seat* seat : living(one)) {
      ++all.back().processes;
      if (seat->slot >= 0) all.back().live += seat->live.load(std::memory_order_relaxed);
    }
  }
  return all;
}

}  // namespace drover

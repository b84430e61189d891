#include "master/predecessors.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>

#include "common/process.h"

namespace drover {
namespace {

constexpr Millis kLook{250};
constexpr Millis kOverdueGrace{3'000};  // more than a master gives its own (Generation)

bool has_master(const Scoreboard& board) { return is_running(board.head.master_pid.load()); }

std::vector<const Seat*> living(const Scoreboard& board) {
  std::vector<const Seat*> seats;
  for (const Seat& seat : board.seats) {
    if (is_alive(seat)) seats.push_back(&seat);
  }
  return seats;
}

Totals totals_of(const Scoreboard& board) {
  Totals totals;
  for (std::size_t i = 0; i < totals.values.size(); ++i) {
    totals.values[i] = board.head.retired[i].load(std::memory_order_relaxed);
  }
  for (const Seat& seat : board.seats) {
    if (seat.state.load() != SeatState::kFree && seat.slot >= 0) totals.add(seat.counters);
  }
  return totals;
}

// A seat's pid is the word of a process that may have gone wrong. When this master is root, only
// what is not is killed for it.
void kill_orphan(pid_t pid) {
  struct stat owner {};
  if (stat(fmt::format("/proc/{}", pid).c_str(), &owner) != 0) return;
  if (geteuid() == 0 && owner.st_uid == 0) return;
  ::kill(pid, SIGKILL);
}

}  // namespace

void Predecessors::add(pid_t pid, UniqueFd scoreboard_fd) {
  auto board = map_scoreboard(scoreboard_fd.get());
  if (!board) {
    context_.log->warning("of pid {} only the sockets are taken over: {}", pid,
                          board.error().message());
    return;
  }
  all_.push_back({pid, std::move(scoreboard_fd), std::move(board).value()});
}

void Predecessors::start(Millis orphans_timeout) {
  orphans_timeout_ = orphans_timeout;
  if (!all_.empty()) tick_.start_every(context_.base, kLook, this);
}

void Predecessors::on_tick() {
  const Millis now = monotonic_now();
  for (auto one = all_.begin(); one != all_.end();) {
    see_off(*one, now);
    const bool is_gone = !has_master(*one->board) && living(*one->board).empty();
    if (!is_gone) {
      ++one;
      continue;
    }
    const auto [pid, totals] = std::pair(one->pid, totals_of(*one->board));
    one = all_.erase(one);
    owner_->on_predecessor_gone(pid, totals);
  }
  if (all_.empty()) tick_.stop();
}

// A living master sees its own processes off.
void Predecessors::see_off(One& one, Millis now) {
  if (has_master(*one.board)) return;
  std::atomic<std::int64_t>& leave_by = one.board->head.leave_by_ms;
  if (leave_by.load() == 0) leave_by = (now + orphans_timeout_).count();
  if (now - Millis{leave_by.load()} < kOverdueGrace) return;
  for (const Seat* seat : living(*one.board)) {
    context_.log->warning("orphan overdue: pid={}, killing it", seat->pid.load());
    kill_orphan(seat->pid.load());
  }
}

void Predecessors::leave_by(Millis deadline, std::size_t spared) {
  for (const One& one : all_) {
    if (spared > 0) {
      --spared;
      continue;
    }
    std::atomic<std::int64_t>& word = one.board->head.leave_by_ms;
    if (word.load() == 0 || word.load() > deadline.count()) word = deadline.count();
  }
}

Totals Predecessors::totals() const {
  Totals totals;
  for (const One& one : all_) totals.add(totals_of(*one.board));
  return totals;
}

std::vector<Predecessors::Remains> Predecessors::remains() const {
  std::vector<Remains> all;
  for (const One& one : all_) {
    all.push_back({one.pid});
    for (const Seat* seat : living(*one.board)) {
      ++all.back().processes;
      if (seat->slot >= 0) all.back().live += seat->live.load(std::memory_order_relaxed);
    }
  }
  return all;
}

std::vector<MasterHeritage::Predecessor> Predecessors::heritage() const {
  std::vector<MasterHeritage::Predecessor> all;
  for (const One& one : all_) all.push_back({one.pid, one.fd.get()});
  return all;
}

}  // namespace drover

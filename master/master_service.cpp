// The master's part with systemd: what it says of itself, and when it may speak.
#include <fmt/format.h>
#include <sys/wait.h>

#include "master/master.h"

namespace drover {
namespace {

std::uint64_t connections_on(const Scoreboard& scoreboard) {
  std::uint64_t all = 0;
  for (const Seat& seat : scoreboard.seats) {
    if (seat.state.load() != SeatState::kFree) all += seat.live.load();
  }
  return all;
}

bool is_stored(const PassedFd& passed) {
  return parse_stored_listener(passed.name).has_value() || is_stored_zone(passed.name);
}

void know_if_stored(const PassedFd& passed, FdStore& store) {
  if (is_stored(passed)) store.know({passed.name, passed.fd.get()});
}

}  // namespace

std::string Master::state_line() const {
  std::uint64_t connections = connections_on(*context_.scoreboard);
  for (const Predecessors::Remains& each : predecessors_.remains()) connections += each.live;
  if (life_ == Life::kStopping) return fmt::format("stopping: {} connections", connections);
  if (current_ == nullptr) return fmt::format("serving nobody: {} connections", connections);
  return fmt::format("generation {}: {} workers, {} connections", current_->number(),
                     current_->pool().workers().size(), connections);
}

// The former master has told systemd who is the main process now.
void Master::begin_to_speak() {
  notify_.take_over();
  if (life_ != Life::kRunning) return;
  notify_.ready();
  update_store();
}

Result<SortedFds> Master::sort_passed() {
  DROVER_TRY(SortedFds sorted, sort_passed_fds(std::exchange(passed_, {}), first_settings_));
  for (const std::string& warning : sorted.warnings) log_.warning("{}", warning);
  return sorted;
}

// Nobody is left of a former run: what systemd has kept of it, and what socket units have.
Status Master::use_passed_fds() {
  for (const PassedFd& each : passed_) know_if_stored(each, store_);
  DROVER_TRY(SortedFds sorted, sort_passed());
  store_.give_up(sorted.useless);
  const MasterHeritage& kept = sorted.inheritance.heritage();
  if (!kept.groups.empty() || !kept.zones.empty())
    log_.notice("passed by systemd: listeners={} zones={}", kept.groups.size(), kept.zones.size());
  listeners_.inherit(sorted.inheritance, false);
  context_.zones->inherit(sorted.inheritance, true);
  return Done{};
}

// Of what is stored orphans have the same, and more.
Status Master::use_lent_fds() {
  for (const PassedFd& each : passed_) know_if_stored(each, store_);
  std::erase_if(passed_, [](const PassedFd& each) { return is_stored(each); });
  DROVER_TRY(SortedFds sorted, sort_passed());
  listeners_.inherit_lent(sorted.inheritance);
  return Done{};
}

std::vector<StoredFd> Master::to_be_stored() const {
  std::vector<StoredFd> all = listeners_.stored();
  for (const ZoneHeritage& zone : context_.zones->living())
    all.push_back({stored_zone_name(zone.name), zone.fd});
  return all;
}

// Without a control socket the next start could not tell whether orphans still use them.
void Master::update_store() {
  if (control_ != nullptr && life_ != Life::kHandedOver) store_.update(to_be_stored());
}

// systemd learns of the main process's end when that is its child, which the successor becomes when
// this process leaves: so it is not reaped here. What drains here drains on by itself.
bool Master::leaves_with_successor() {
  if (life_ != Life::kHandedOver || is_keeper_ || !Notify::is_wanted()) return false;
  siginfo_t ended{};
  const int result =
      waitid(P_PID, static_cast<id_t>(successor_), &ended, WEXITED | WNOHANG | WNOWAIT);
  if (result != 0 || ended.si_pid != successor_) return false;
  log_.notice("leaving: the new master, pid {}, has ended", successor_);
  event_base_loopexit(context_.base, nullptr);
  return true;
}

}  // namespace drover

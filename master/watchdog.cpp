#include "master/watchdog.h"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

namespace drover {
namespace {

constexpr Millis kAbortGrace{1'000};

// TracerPid in /proc/PID/status (proc(5)) is not 0 while a debugger is attached.
bool is_traced(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  std::string word;
  while (status >> word) {
    int tracer = 0;
    if (word == "TracerPid:") return (status >> tracer) && tracer != 0;
  }
  return false;
}

}  // namespace

void Watchdog::start(Millis steer_after, Millis hang_timeout) {
  policy_.set_limits(steer_after, hang_timeout);
  tick_.start_every(context_.base, HangPolicy::kTick, this);
}

void Watchdog::on_tick() {
  const Millis now = monotonic_now();
  const std::vector<Watched> watched = owner_->watched_children();
  std::vector<Vitals> vitals;
  for (const auto& [child, is_serving] : watched) {
    const Millis last_beat{child->seat()->heartbeat_ms.load(std::memory_order_relaxed)};
    vitals.push_back({child->pid(), last_beat, is_serving, false});
    const bool may_be_killed = now - last_beat >= HangPolicy::kLate;
    if (may_be_killed) vitals.back().is_traced = is_traced(child->pid());
  }
  const HangVerdict verdict = policy_.judge(now, vitals);
  std::vector<pid_t> silent;
  for (std::size_t i = 0; i < vitals.size(); ++i) {
    if (verdict.is_silent[i]) silent.push_back(vitals[i].pid);
  }
  if (verdict.kill) kill_hung(*watched[*verdict.kill].child, now);
  finish_off(watched, now);
  owner_->on_silent(silent);
}

void Watchdog::kill_hung(Child& child, Millis now) {
  if (!aborted_.emplace(child.pid(), now).second) return;
  const auto age = now.count() - child.seat()->heartbeat_ms.load(std::memory_order_relaxed);
  context_.log->error("{} hung: pid={} silent for {} ms, killing it", child.name(), child.pid(),
                      age);
  child.kill_as_hung(SIGABRT);
}

void Watchdog::finish_off(const std::vector<Watched>& watched, Millis now) {
  std::map<pid_t, Millis> still;
  for (const auto& [child, is_serving] : watched) {
    const auto entry = aborted_.find(child->pid());
    if (entry == aborted_.end()) continue;
    if (now - entry->second >= kAbortGrace) child->kill(SIGKILL);
    still.insert(*entry);
  }
  aborted_ = std::move(still);
}

}  // namespace drover

#include "master/notify.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace drover {
namespace {

constexpr Millis kStateEvery{5'000};
constexpr std::uint64_t kBarrierPatienceUs = 5'000'000;

std::uint64_t watchdog_of_this_process() {
  std::uint64_t interval_us = 0;
  return sd_watchdog_enabled(0, &interval_us) > 0 ? interval_us : 0;
}

// The time that RELOADING=1 is to come with (sd_notify(3)).
std::uint64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

// Twice in the interval, as sd_watchdog_enabled(3) has it.
Millis tick_length(std::uint64_t watchdog_us) {
  if (watchdog_us == 0) return kStateEvery;
  return std::clamp(Millis(watchdog_us / 2'000), Millis{1}, kStateEvery);
}

}  // namespace

Notify::Notify(event_base* base, Log* log, std::function<std::string()> state)
    : base_(base),
      log_(log),
      state_(std::move(state)),
      voice_(is_wanted() ? Voice::kMain : Voice::kNobodyListens),
      watchdog_us_(watchdog_of_this_process()) {}

bool Notify::is_wanted() { return std::getenv("NOTIFY_SOCKET") != nullptr; }

void Notify::inherit(std::uint64_t watchdog_us) {
  watchdog_us_ = watchdog_us;
  if (voice_ == Voice::kMain) voice_ = Voice::kNotYet;
}

void Notify::take_over() {
  if (voice_ == Voice::kNotYet) voice_ = Voice::kMain;
}

void Notify::say(const std::string& lines) {
  if (voice_ != Voice::kMain) return;
  if (const int result = sd_notify(0, lines.c_str()); result < 0)
    log_->warning("systemd was not told: {}", strerrordesc_np(-result));
}

void Notify::say_state(const std::string& lines) {
  last_said_ = line();
  say(lines + "STATUS=" + last_said_ + "\n");
}

std::string Notify::line() const {
  return refusal_.empty() ? state_() : fmt::format("reload refused: {}; {}", refusal_, state_());
}

void Notify::ready() {
  if (voice_ != Voice::kMain || is_ready_) return;
  is_ready_ = true;
  say_state("READY=1\n");
  on_tick();
  tick_.start_every(base_, tick_length(watchdog_us_), this);
}

void Notify::reloading() {
  if (!is_ready_) return;
  is_reloading_ = true;
  say(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_us()));
}

// READY=1 ends a refused reload, too: what serves is the configuration of before.
void Notify::reloaded(const std::string& refusal) {
  if (!is_reloading_) return;
  is_reloading_ = false;
  refusal_ = refusal.substr(0, refusal.find('\n'));
  say_state("READY=1\n");
}

void Notify::stopping() {
  is_reloading_ = false;
  refusal_.clear();
  say_state("STOPPING=1\n");
}

void Notify::hand_over(pid_t successor) {
  if (voice_ != Voice::kMain) return;
  tick_.stop();
  say(fmt::format("WATCHDOG=1\nMAINPID={}\n", successor));
  wait_until_heard();
  voice_ = Voice::kFormer;
}

void Notify::wait_until_heard() {
  if (voice_ != Voice::kMain) return;
  if (const int result = sd_notify_barrier(0, kBarrierPatienceUs); result < 0)
    log_->warning("systemd does not take notice: {}", strerrordesc_np(-result));
}

void Notify::keep(const std::string& name, int fd) {
  if (voice_ != Voice::kMain) return;
  const std::string lines = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0\n", name);
  if (const int result = sd_pid_notify_with_fds(0, 0, lines.c_str(), &fd, 1); result < 0)
    log_->warning("systemd was not given {}: {}", name, strerrordesc_np(-result));
}

void Notify::forget(const std::string& name) {
  say(fmt::format("FDSTOREREMOVE=1\nFDNAME={}\n", name));
}

void Notify::on_tick() {
  if (watchdog_us_ != 0) say("WATCHDOG=1\n");
  if (line() != last_said_) say_state("");
}

}  // namespace drover

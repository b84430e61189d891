// Whom to steer new connections around, and whom to kill, from the age of heartbeats. Takes
// numbers, returns decisions.
#pragma once

#include <optional>
#include <vector>

#include "common/event.h"

namespace drover {

// One child as the watchdog sees it.
struct Vitals {
  int pid = 0;
  Millis last_beat{0};  // CLOCK_MONOTONIC; birth counts as one
  bool is_serving =
      false;  // a READY worker of the generation that serves: it counts as healthy when it beats
  bool is_traced = false;  // a debugger holds it: steer around it, never kill it
};

struct HangVerdict {
  std::vector<bool> is_silent;      // by index of the vitals: longer than steer_after
  std::optional<std::size_t> kill;  // at most one at a time
};

class HangPolicy {
 public:
  HangPolicy(Millis steer_after, Millis hang_timeout)
      : steer_after_(steer_after), hang_timeout_(hang_timeout) {}

  // For another configuration; what has been measured stays.
  void set_limits(Millis steer_after, Millis hang_timeout) {
    steer_after_ = steer_after, hang_timeout_ = hang_timeout;
  }

  // Called every kTick. A call that comes late means that this process was stopped too (a VM
  // pause): the measurement starts anew. Kills the stalest first, at most one a second; while no
  // worker at all is healthy, which looks like the machine's trouble rather than a worker's, at
  // most one each hang_timeout.
  [[nodiscard]] HangVerdict judge(Millis now, const std::vector<Vitals>& children);

  static constexpr Millis kTick{100};
  static constexpr Millis kLate{1'000};
  static constexpr Millis kBetweenKills{1'000};

 private:
  [[nodiscard]] Millis age_of(const Vitals& child, Millis now) const;
  [[nodiscard]] Millis between_kills(Millis now, const std::vector<Vitals>& children) const;
  [[nodiscard]] std::optional<std::size_t> choose_victim(Millis now,
                                                         const std::vector<Vitals>& children) const;

  Millis steer_after_;
  Millis hang_timeout_;
  Millis last_call_{-1};
  Millis baseline_{0};  // silence before this does not count
  Millis last_kill_{-1'000'000};
};

}  // namespace drover

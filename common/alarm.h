// A time that is kept to the millisecond: for what a peer waits for. A Timer alone is looked at by
// libevent with a clock that goes on every 4 ms (CLOCK_MONOTONIC_COARSE, clock_gettime(2)): the
// loop wakes, finds it not due, waits again, and 10 ms are 12 in two turns.
#pragma once

#include <sys/timerfd.h>

#include <algorithm>

#include "common/event.h"
#include "common/unique_fd.h"

namespace drover {

// Calls void on_x() of its owner once. Takes a descriptor (timerfd_create(2)) when it is made.
template <auto Callback>
class Alarm {
 public:
  using Owner = detail::OwnerOf<Callback>;

  Alarm(event_base* base, Owner* owner)
      : base_(base),
        owner_(owner),
        near_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    DROVER_CHECK(near_.is_open());
    near_event_.start(base, near_.get(), EV_READ | EV_ET, owner);  // each ringing is an edge
  }

  // Rings no earlier; shorter than a millisecond is a millisecond. What was set before may ring,
  // too.
  void set(Millis after) {
    if (after >= kFar) return far_.start(base_, after, owner_);
    const auto ns = std::chrono::nanoseconds(std::max(after, Millis{1})).count();
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = ns}};
    DROVER_CHECK(timerfd_settime(near_.get(), 0, &once, nullptr) == 0);
  }

 private:
  static constexpr Millis kFar{500};  // a few milliseconds more are nothing, and a system call less

  event_base* base_;
  Owner* owner_;
  UniqueFd near_;
  Event<Callback> near_event_;  // goes before its descriptor
  Timer<Callback> far_;
};

}  // namespace drover

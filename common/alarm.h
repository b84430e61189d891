// A time that is kept to the millisecond: for what a peer waits for. A Timer alone is looked at by
// libevent with a clock that goes on every 4 ms (CLOCK_MONOTONIC_COARSE, clock_gettime(2)): the
// loop wakes, finds it not due, waits again, and 10 ms are 12 in two turns.
#pragma once

#include <sys/timerfd.h>

#include <algorithm>

#include "common/event.h"
#include "common/unique_fd.h"

namespace drover {

// Calls void on_x() of its owner. Takes a descriptor (timerfd_create(2)) when it is made.
template <auto Callback>
class Alarm {
 public:
  using Owner = detail::OwnerOf<Callback>;

  Alarm(event_base* base, Owner* owner)
      : base_(base),
        owner_(owner),
        near_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    DROVER_CHECK(near_.is_open());
    near_event_.start(base, near_.get(), EV_READ | EV_ET, this);  // each ringing is an edge
  }

  // Rings once, no earlier than `deadline` of a clock whose time is `now`, and no earlier than in a
  // millisecond. What was set before may ring, too: it is left alone, and nothing is done when it
  // rings early enough.
  void set(Millis deadline, Millis now) {
    if (std::min(near_at_, far_at_) <= deadline) return;
    const Millis after = std::max(deadline - now, Millis{1});
    after < kFar ? set_near(deadline, after) : set_far(deadline, after);
  }

 private:
  static constexpr Millis kFar{500};  // a few milliseconds more are nothing, and a system call less
  static constexpr Millis kNever = Millis::max();

  void set_near(Millis deadline, Millis after) {
    const auto ns = std::chrono::nanoseconds(after).count();
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = ns}};
    DROVER_CHECK(timerfd_settime(near_.get(), 0, &once, nullptr) == 0);
    near_at_ = deadline;
  }
  void set_far(Millis deadline, Millis after) {
    far_.start(base_, after, this);
    far_at_ = deadline;
  }
  void on_near() {
    near_at_ = kNever;
    (owner_->*Callback)();
  }
  void on_far() {
    far_at_ = kNever;
    (owner_->*Callback)();
  }

  event_base* base_;
  Owner* owner_;
  UniqueFd near_;
  Millis near_at_ = kNever;
  Millis far_at_ = kNever;
  Event<&Alarm::on_near> near_event_;  // goes before its descriptor
  Timer<&Alarm::on_far> far_;
};

}  // namespace drover

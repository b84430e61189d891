// libevent as owned values. An event lives as long as its member does, calls a member function of
// its owner, and is deleted from the loop by its destructor:
//
//   Event<&Connection::on_readable> readable_;   // embeds struct event, no allocation
//   Timer<&Connection::on_idle> idle_;
//
// The C callback behind each is made at compile time and noexcept. Never destroy an event's owner
// inside its callback unless nothing of the owner is touched afterwards.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>
#include <memory>
#include <type_traits>

#include "common/check.h"

namespace drover {

using Millis = std::chrono::milliseconds;

// Milliseconds of CLOCK_MONOTONIC; the same clock in every process of the host.
[[nodiscard]] Millis monotonic_now();

struct EventBaseDeleter {
  void operator()(event_base* base) const { event_base_free(base); }
};
using EventBase = std::unique_ptr<event_base, EventBaseDeleter>;

// A base on epoll with the features Drover relies on; stops the process when libevent has none.
[[nodiscard]] EventBase make_event_base();

namespace detail {
template <class>
struct MemberOf;
template <class Owner, class Return, class... Args>
struct MemberOf<Return (Owner::*)(Args...)> {
  using type = Owner;
};
template <auto Callback>
using OwnerOf = typename MemberOf<decltype(Callback)>::type;

[[nodiscard]] inline timeval to_timeval(Millis duration) {
  return {static_cast<time_t>(duration.count() / 1000),
          static_cast<suseconds_t>(duration.count() % 1000 * 1000)};
}
}  // namespace detail

// What all three kinds share: an embedded struct event, neither copied nor moved because libevent
// holds its address.
class EventBaseMember {
 public:
  EventBaseMember() = default;
  EventBaseMember(const EventBaseMember&) = delete;
  EventBaseMember& operator=(const EventBaseMember&) = delete;
  ~EventBaseMember() { stop(); }

  void stop() {
    if (event_initialized(&event_)) event_del(&event_);  // fails only on an uninitialised event
  }
  [[nodiscard]] bool is_pending(short what) const {
    return event_initialized(&event_) && event_pending(&event_, what, nullptr) != 0;
  }
  // Runs the callback in this turn of the loop, after the events that are already active.
  void activate() { event_active(&event_, EV_TIMEOUT, 0); }

 protected:
  struct event event_ {};
};

// A descriptor to be read or written: void on_x() or void on_x(short what). Persistent.
template <auto Callback>
class Event : public EventBaseMember {
 public:
  using Owner = detail::OwnerOf<Callback>;

  // `what` is EV_READ and/or EV_WRITE. Replaces what was watched before.
  void start(event_base* base, int fd, short what, Owner* owner) {
    stop();
    DROVER_CHECK(
        event_assign(&event_, base, fd, static_cast<short>(what | EV_PERSIST), &call, owner) == 0);
    DROVER_CHECK(event_add(&event_, nullptr) == 0);
  }

 private:
  static void call(evutil_socket_t /*fd*/, short what, void* owner) noexcept {
    if constexpr (std::is_invocable_v<decltype(Callback), Owner*, short>) {
      (static_cast<Owner*>(owner)->*Callback)(what);
    } else {
      (static_cast<Owner*>(owner)->*Callback)();
    }
  }
};

// Calls once after a time, or every `interval`.
template <auto Callback>
class Timer : public EventBaseMember {
 public:
  using Owner = detail::OwnerOf<Callback>;

  void start(event_base* base, Millis after, Owner* owner) { arm(base, after, 0, owner); }
  void start_every(event_base* base, Millis interval, Owner* owner) {
    arm(base, interval, EV_PERSIST, owner);
  }
  // Prepares the event for activate() without a time.
  void prepare(event_base* base, Owner* owner) {
    DROVER_CHECK(event_assign(&event_, base, -1, 0, &call, owner) == 0);
  }

 private:
  void arm(event_base* base, Millis duration, short flags, Owner* owner) {
    stop();
    DROVER_CHECK(event_assign(&event_, base, -1, flags, &call, owner) == 0);
    const timeval time = detail::to_timeval(duration);
    DROVER_CHECK(event_add(&event_, &time) == 0);
  }
  static void call(evutil_socket_t /*fd*/, short /*what*/, void* owner) noexcept {
    (static_cast<Owner*>(owner)->*Callback)();
  }
};

// A signal: void on_signal(int number).
template <auto Callback>
class Signal : public EventBaseMember {
 public:
  using Owner = detail::OwnerOf<Callback>;

  void start(event_base* base, int number, Owner* owner) {
    stop();
    DROVER_CHECK(event_assign(&event_, base, number, EV_SIGNAL | EV_PERSIST, &call, owner) == 0);
    DROVER_CHECK(event_add(&event_, nullptr) == 0);
  }

 private:
  static void call(evutil_socket_t number, short /*what*/, void* owner) noexcept {
    (static_cast<Owner*>(owner)->*Callback)(static_cast<int>(number));
  }
};

}  // namespace drover

// Waiting for something to become true, by looking every few milliseconds until a deadline: no test
// sleeps for luck.
#pragma once

#include <chrono>
#include <thread>

namespace drover::test {

using Clock = std::chrono::steady_clock;
using Millis = std::chrono::milliseconds;

inline constexpr Millis kPatience{10'000};  // generous: this machine may be busy
inline constexpr Millis kGlance{3};

// How much earlier than its time a deadline may seem to come: a worker's clock and since() are both
// cut to milliseconds, and a batch has begun before its hooks run.
inline constexpr Millis kEarly{10};

[[nodiscard]] inline Millis since(Clock::time_point start) {
  return std::chrono::duration_cast<Millis>(Clock::now() - start);
}

// What is left until `end`, never negative: for poll().
[[nodiscard]] inline int millis_left(Clock::time_point end) {
  const auto left = std::chrono::ceil<Millis>(end - Clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

// True as soon as the predicate holds, false when it did not within `patience`.
template <class Predicate>
[[nodiscard]] bool wait_until(Predicate predicate, Millis patience = kPatience,
                              Millis glance = kGlance) {
  const auto end = Clock::now() + patience;
  while (!predicate()) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(glance);
  }
  return true;
}

}  // namespace drover::test

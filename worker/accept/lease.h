// The rules of accept = mutex as plain values: who holds the accept lease until when, when it is
// passed on, and to whom. mutex.cpp acts on them.
#pragma once

#include <cstdint>

#include "common/event.h"

namespace drover {

inline constexpr Millis kLeaseLength{500};  // two heartbeats: a holder that lives renews it in time
inline constexpr int kTenureAccepts = 8;    // after so many accepts the lease goes to the next
inline constexpr Millis kTenureLength{200};  // or so long after the first of them

// AcceptLease (common/scoreboard.h), unpacked.
struct Lease {
  int holder = -1;  // slot; -1: nobody
  Millis deadline{0};

  [[nodiscard]] static Lease unpack(std::uint64_t word);
  [[nodiscard]] std::uint64_t pack() const;
  // Anybody may take it.
  [[nodiscard]] bool is_free(Millis now) const { return holder < 0 || deadline <= now; }
  [[nodiscard]] bool is_half_over(Millis now) const { return deadline - now < kLeaseLength / 2; }
};

// What the holder has accepted since it became holder. A holder that accepts nothing keeps the
// lease, so that idle workers sleep.
class Tenure {
 public:
  void begin() { *this = Tenure(); }
  void count(int accepts, Millis now);
  [[nodiscard]] bool is_over(Millis now) const;

 private:
  int accepts_ = 0;
  Millis first_{0};
};

// Above 7/8 of its connections a worker leaves accepting to the others. Capacity 0 (not started) is
// busy.
[[nodiscard]] inline bool is_busy(std::uint64_t live, std::uint64_t capacity) {
  return live * 8 >= capacity * 7;
}

}  // namespace drover

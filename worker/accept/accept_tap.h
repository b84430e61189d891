// Takes connections from a listening socket, a few at a time: the one place that calls accept4. It
// decides nothing about when to listen (the strategy does) or what becomes of a connection (the
// host does), and never accepts one only to close it: what it does not take stays in the kernel's
// queue.
#pragma once

#include "worker/accept/accept_queue.h"
#include "worker/accept/strategy.h"

namespace drover {

struct Taken {
  int count = 0;
  bool ran_dry = false;  // the queue was seen empty

  // Woken for nothing: another process was faster.
  [[nodiscard]] bool is_empty_wakeup() const { return count == 0 && ran_dry; }
};

class AcceptTap {
 public:
  // For take() when the queue is to be emptied.
  static constexpr int kUnlimited = -1;

  explicit AcceptTap(AcceptHost& host) : host_(host) {}

  // Accepts until the queue is empty, `budget` tries are used up, the host has no room or
  // descriptors run out. Each connection is counted in the process's seat and given to
  // host.on_accepted(), which may pause the strategy.
  Taken take(const AcceptQueue& queue, int budget);

 private:
  AcceptHost& host_;
};

}  // namespace drover

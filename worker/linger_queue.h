// Connections that linger: their end of stream is sent, and a near peer's follows at once. So one
// that the loop does not watch yet waits here until enough others have come behind it or a moment
// has passed. Then it is looked at once, and watched only if its peer has not ended: of a short
// connection the loop never hears, which saves two of its seven system calls.
#pragma once

#include <cstddef>
#include <deque>

#include "common/event.h"
#include "modules/sdk/drover_module.h"
#include "worker/linger_policy.h"

namespace drover {

class ConnectionCore;

class LingerQueue {
 public:
  static constexpr std::size_t kMost = 64;  // more than near clients leave open behind one
  static constexpr Millis kLongest{20};     // so long an idle worker may hold what has ended

  explicit LingerQueue(ConnectionCore& core) : core_(core) {}

  // Calls on_linger_turn() of the connection once, unless it has gone by then. False: never, it
  // should not wait.
  [[nodiscard]] bool add(drover_conn handle);
  // Calls those behind which enough others wait; all, when the worker is full. At the end of a
  // batch.
  void call_surplus();
  // Calls those that have waited long enough. The loop does, when the oldest has.
  void call_due();

 private:
  struct Waiting {
    drover_conn handle;
    Millis until;
  };
  void call_oldest();
  void arm();

  ConnectionCore& core_;
  LingerPolicy policy_;
  std::deque<Waiting> waiting_;  // the oldest first
  Timer<&LingerQueue::call_due> timer_;
};

}  // namespace drover

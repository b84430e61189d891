// One listening socket as one process waits at it: its own descriptor of the socket and its event.
// Listening sockets are non-blocking (the master opens them so), because several processes may be
// woken for one connection.
#pragma once

#include "common/event.h"
#include "common/heritage.h"
#include "common/unique_fd.h"

namespace drover {

class AcceptQueue {
 public:
  // Told when a connection may be waiting. Must not destroy the queue inside the call.
  struct Watcher {
    virtual void on_queue_readable(AcceptQueue& queue) = 0;

   protected:
    ~Watcher() = default;
  };

  // Takes over listener.fd. `listener` (of the process's heritage) and `watcher` must outlive the
  // queue.
  AcceptQueue(const ListenerHeritage& listener, event_base* base, Watcher& watcher)
      : listener_(listener), base_(base), watcher_(watcher), fd_(listener.fd) {}

  // Level-triggered. Both are idempotent.
  void watch() {
    if (!is_watched()) event_.start(base_, fd_.get(), EV_READ, this);
  }
  void unwatch() { event_.stop(); }
  [[nodiscard]] bool is_watched() const { return event_.is_pending(EV_READ); }

  [[nodiscard]] const ListenerHeritage& listener() const { return listener_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  void on_readable() { watcher_.on_queue_readable(*this); }

  const ListenerHeritage& listener_;
  event_base* base_;
  Watcher& watcher_;
  UniqueFd fd_;
  Event<&AcceptQueue::on_readable> event_;  // before the descriptor goes, libevent must forget it
};

}  // namespace drover

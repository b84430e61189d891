// EPOLLEXCLUSIVE for a descriptor that libevent polls. libevent 2.1 has no flag for it, but its
// epoll descriptor is an ordinary one: deleting the descriptor there and adding it again with
// EPOLLEXCLUSIVE is invisible to libevent, whose event_del() later does the EPOLL_CTL_DEL that is
// right for both.
#pragma once

#include <event2/event.h>

namespace drover {

class ExclusiveEpoll {
 public:
  explicit ExclusiveEpoll(event_base* base) : base_(base) {}

  // Makes this process's wait for `fd` exclusive, last in the line of the processes that wait for
  // it. The base must be polling `fd` for EV_READ with one event. Nothing is missed: adding looks
  // whether `fd` is readable already. False: not possible here (no /proc, say); `fd` is polled as
  // before, each wake-up then goes to everyone.
  bool make_exclusive(int fd);

 private:
  [[nodiscard]] bool readd(int fd) const;

  event_base* base_;
  int epoll_fd_ = -1;  // libevent's; looked for again when it has changed (event_reinit)
};

// The epoll descriptor of this base, -1 when it cannot be found.
[[nodiscard]] int find_epoll_fd(event_base* base);

}  // namespace drover

// Calling a module's hook for a connection: what it writes meanwhile is gathered. Private to
// worker/connection*.cpp.
#pragma once

#include "worker/connection.h"
#include "worker/server.h"

namespace drover {

template <class Hook, class... Args>
auto Connection::call(Hook hook, Args... args) {
  struct Gathering {
    WriteGather& gather;
    ~Gathering() { gather.end(); }
  };
  server_->runs_in_batch = true;
  WriteGather& gather = core().gather();
  gather.begin(handle());
  const Gathering gathering{gather};
  return hook(server_->instance, handle(), state(), args...);
}

inline ConnectionCore& Connection::core() const { return server_->core; }
inline drover_conn Connection::handle() const { return core().table().handle(index_); }

}  // namespace drover

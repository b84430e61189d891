// Calling a module's hook for a connection: what it writes meanwhile is gathered. Private to
// worker/connection*.cpp.
#pragma once

#include <cstring>
#include <new>
#include <utility>

#include "common/check.h"
#include "worker/connection.h"
#include "worker/hook_run.h"
#include "worker/server.h"

namespace drover {

template <class Hook, class... Args>
auto Connection::call(Hook hook, Args... args) {
  struct Gathering {
    WriteGather& gather;
    ~Gathering() { gather.end(); }
  };
  const HookRun run(*server_);
  WriteGather& gather = core().gather();
  gather.begin(handle());
  const Gathering gathering{gather};
  return hook(server_->instance, handle(), state(), args...);
}

template <class T, class... Args>
Connection* Connection::make(Server& server, const PeerAddress& peer, Args&&... transport) {
  static_assert(sizeof(T) <= kTransportRoom && alignof(T) <= alignof(void*));
  const std::size_t state_size = server.module.conn_state_size;
  void* memory = ::operator new(sizeof(Connection) + state_size);
  auto* connection = new (memory) Connection(server, peer);
  auto* base =
      static_cast<Transport*>(new (connection->transport_) T(std::forward<Args>(transport)...));
  DROVER_CHECK(static_cast<void*>(base) == connection->transport_);
  std::memset(connection->state(), 0, state_size);
  connection->index_ = server.core.table().add(connection);
  return connection;
}

inline Transport& Connection::transport() const {
  return *std::launder(reinterpret_cast<Transport*>(const_cast<std::byte*>(transport_)));
}
inline ConnectionCore& Connection::core() const { return server_->core; }
inline drover_conn Connection::handle() const { return core().table().handle(index_); }

}  // namespace drover

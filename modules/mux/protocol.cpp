#include "modules/mux/protocol.h"

#include "modules/mux/yamux_session.h"

namespace mux {

std::unique_ptr<Session> make_session(Protocol protocol, Role role, const Limits& limits,
                                      Worker& worker, Listener& listener, Time now) {
  switch (protocol) {
    case Protocol::kYamux:
      return std::make_unique<YamuxSession>(role, limits, worker, listener, now);
    default:
      return nullptr;
  }
}

}  // namespace mux

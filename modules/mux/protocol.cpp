#include "modules/mux/protocol.h"

#include "modules/mux/smux_session.h"
#include "modules/mux/xsmux_session.h"
#include "modules/mux/yamux_session.h"

namespace mux {

std::unique_ptr<Session> make_session(Protocol protocol, Role role, const Limits& limits,
                                      Worker& worker, Listener& listener, Time now) {
  switch (protocol) {
    case Protocol::kYamux:
      return std::make_unique<YamuxSession>(role, limits, worker, listener, now);
    case Protocol::kSmux:
      break;
    case Protocol::kXsmux1:
      return std::make_unique<XsmuxSession>(std::uint8_t{1}, role, limits, worker, listener, now);
    case Protocol::kXsmux2:
      return std::make_unique<XsmuxSession>(std::uint8_t{2}, role, limits, worker, listener, now);
  }
  return std::make_unique<SmuxSession>(role, limits, worker, listener, now);
}

}  // namespace mux

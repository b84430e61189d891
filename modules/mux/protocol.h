// The three protocols by name, and the session of one.
#pragma once

#include <cstdint>
#include <memory>

#include "modules/mux/session.h"

namespace mux {

enum class Protocol : std::uint8_t { kSmux, kXsmux1, kXsmux2, kYamux };

// `limits`, `worker` and `listener` must outlive it.
[[nodiscard]] std::unique_ptr<Session> make_session(Protocol protocol, Role role,
                                                    const Limits& limits, Worker& worker,
                                                    Listener& listener, Time now);

}  // namespace mux

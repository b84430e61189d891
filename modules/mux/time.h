// Moments and spans of the sessions, which have no clock: whoever calls says what time it is.
#pragma once

#include <chrono>

namespace mux {

using Time = std::chrono::milliseconds;  // since any moment, never backwards

}  // namespace mux

// Which of the three protocols a client speaks, by its first bytes: mux.md's rule (section 4
// there), which is right for every opening that the three client libraries send.
#pragma once

#include <string_view>
#include <variant>

#include "modules/mux/protocol.h"

namespace mux {

inline constexpr std::size_t kMostToDetect = 17;  // bytes; most need 8

enum class Detection {
  kSmux,
  kXsmux1,
  kXsmux2,
  kYamux,
  kNone,     // none of them
  kMore,     // cannot be told yet, wait for more however long
  kMoreSoon  // cannot be told yet; when kDetectPatience is over, detect_late() says
};

inline constexpr Time kDetectPatience{100};  // since the last byte came

[[nodiscard]] Detection detect(std::string_view first_bytes);
// The same when no more has come in time: one of the four, kNone or kMore.
[[nodiscard]] Detection detect_late(std::string_view first_bytes);

}  // namespace mux

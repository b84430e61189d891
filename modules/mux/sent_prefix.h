// Bytes that are sent from the front: what has left stays in the string until there is so much of
// it, and half the string, that moving the rest costs no more than sending it did.
#pragma once

#include <cstddef>
#include <string>

namespace mux {

inline constexpr std::size_t kCompactAt = std::size_t{64} << 10;

// `begin`: where what has not left begins.
inline void drop_sent_prefix(std::string& bytes, std::size_t& begin) {
  if (begin == bytes.size()) {
    std::string{}.swap(bytes);
  } else if (begin >= kCompactAt && begin >= bytes.size() / 2) {
    bytes.erase(0, begin);
  } else {
    return;
  }
  begin = 0;
}

}  // namespace mux

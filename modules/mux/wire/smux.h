// The head of a frame of monochromegane/smux, 8 bytes, the highest first: length, type, flag,
// number of the stream. There is one kind of frame, data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mux::smux {

inline constexpr std::size_t kHeadBytes = 8;
inline constexpr std::size_t kLongestFrame = 65'535;  // of payload
inline constexpr std::uint8_t kType = 0;              // sent always, and looked at by nobody

// Compared as a whole: no bits.
inline constexpr std::uint8_t kMore = 0;
inline constexpr std::uint8_t kEnd = 1;  // the sender's last frame in the stream

struct Head {
  std::uint16_t length = 0;  // of the payload
  std::uint8_t type = kType;
  std::uint8_t flag = kMore;
  std::uint32_t id = 0;
  bool operator==(const Head&) const = default;
};

// Of the first kHeadBytes bytes, which there must be.
[[nodiscard]] Head head_at(std::string_view bytes);
void append_head(std::string& out, const Head& head);

}  // namespace mux::smux

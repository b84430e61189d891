// The head of a frame of hashicorp/yamux, 12 bytes, the highest first: version 0, type, flags,
// number of the stream, and a length that only for data is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mux::yamux {

inline constexpr std::size_t kHeadBytes = 12;
inline constexpr std::uint8_t kVersion = 0;
inline constexpr std::uint32_t kFirstClientId = 1;
inline constexpr std::uint32_t kFirstServerId = 2;
inline constexpr std::uint32_t kLastClientId = 0xffff'fffd;  // from 2^32-2 on nobody opens
inline constexpr std::uint32_t kLastServerId = 0xffff'fffc;

enum class Type : std::uint8_t {
  kData = 0,          // length: bytes of payload that follow
  kWindowUpdate = 1,  // length: bytes that may be sent in addition
  kPing = 2,          // length: any number, which the answer repeats
  kGoAway = 3,        // length: why, one of those below
};
inline constexpr std::uint8_t kLastType = 3;

// Of data and window updates they change the stream before the frame's own effect. Of a ping SYN is
// the question and ACK the answer. Bits that nobody knows are nothing.
inline constexpr std::uint16_t kSyn = 1;
inline constexpr std::uint16_t kAck = 2;
inline constexpr std::uint16_t kFin = 4;
inline constexpr std::uint16_t kRst = 8;

inline constexpr std::uint32_t kNormal = 0;
inline constexpr std::uint32_t kProtocolError = 1;
inline constexpr std::uint32_t kInternalError = 2;

struct Head {
  std::uint8_t version = kVersion;
  Type type = Type::kData;  // as it came: perhaps none of them
  std::uint16_t flags = 0;
  std::uint32_t id = 0;  // 0 for pings and go-aways
  std::uint32_t length = 0;

  [[nodiscard]] bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  bool operator==(const Head&) const = default;
};

// Of the first kHeadBytes bytes, which there must be.
[[nodiscard]] Head head_at(std::string_view bytes);
void append_head(std::string& out, const Head& head);

}  // namespace mux::yamux

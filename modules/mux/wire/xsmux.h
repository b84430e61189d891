// Frames of xtaci/smux, versions 1 and 2: a head of 8 bytes, the lowest first but for the single
// ones: version, command, length, number of the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mux::xsmux {

inline constexpr std::size_t kHeadBytes = 8;
inline constexpr std::size_t kUpdateBytes = 8;  // the payload of kUpdate
inline constexpr std::uint32_t kFirstClientId = 3;
inline constexpr std::uint32_t kFirstServerId = 2;

enum class Command : std::uint8_t {
  kSyn = 0,     // opens the stream
  kFin = 1,     // no more data of the sender
  kPush = 2,    // data
  kNop = 3,     // keepalive, never answered
  kUpdate = 4,  // version 2 only
};

struct Head {
  std::uint8_t version = 0;
  Command command = Command::kNop;  // as it came: perhaps none of them
  std::uint16_t length = 0;         // of the payload
  std::uint32_t id = 0;
  bool operator==(const Head&) const = default;
};

// What a receiver's application has read since the stream was opened (modulo 2^32), and how much
// more may be under way.
struct Update {
  std::uint32_t consumed = 0;
  std::uint32_t window = 0;
  bool operator==(const Update&) const = default;
};

// Of the first kHeadBytes and kUpdateBytes bytes, which there must be.
[[nodiscard]] Head head_at(std::string_view bytes);
[[nodiscard]] Update update_at(std::string_view bytes);
void append_head(std::string& out, const Head& head);
// The payload only.
void append_update(std::string& out, const Update& update);

}  // namespace mux::xsmux

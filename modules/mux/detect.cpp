#include "modules/mux/detect.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mux {
namespace {

struct Byte {
  std::uint8_t low = 0;
  std::uint8_t high = 0;
  bool is_odd = false;

  [[nodiscard]] constexpr bool takes(std::uint8_t byte) const {
    return low <= byte && byte <= high && (!is_odd || byte % 2 == 1);
  }
};

constexpr Byte kAny{0, 255};
constexpr Byte kOdd{0, 255, true};
constexpr Byte k0{0, 0};
constexpr Byte k1{1, 1};
constexpr Byte k2{2, 2};
constexpr Byte k3{3, 3};

constexpr std::size_t kHead = 8;  // bytes, after which all is told but one case

// A connection begins with small numbers of streams: the highest byte of each is 0. The first row
// that takes the bytes says what they are.
struct Opening {
  Detection detection;
  Byte bytes[kHead];
};

constexpr std::array kOpenings = {
    // version, command (SYN or NOP), length, stream (little endian)
    Opening{Detection::kXsmux1, {k1, k0, k0, k0, kOdd, kAny, kAny, k0}},
    Opening{Detection::kXsmux1, {k1, k3, k0, k0, k0, k0, k0, k0}},
    Opening{Detection::kXsmux2, {k2, k0, k0, k0, kOdd, kAny, kAny, k0}},
    Opening{Detection::kXsmux2, {k2, k3, k0, k0, k0, k0, k0, k0}},
    // version, type (ping, go-away, data, window), flags, stream
    Opening{Detection::kYamux, {k0, k2, k0, k1, k0, k0, k0, k0}},
    Opening{Detection::kYamux, {k0, k3, k0, k0, k0, k0, k0, k0}},
    Opening{Detection::kYamux, {k0, k0, k0, {1, 15, true}, k0, kAny, kAny, kOdd}},
    Opening{Detection::kYamux, {k0, k1, k0, {3, 15, true}, k0, kAny, kAny, kOdd}},
    // yamux's window with SYN, or the head of a smux request of one byte
    Opening{Detection::kMoreSoon, {k0, k1, k0, k1, k0, kAny, kAny, kOdd}},
    // length (1 to 16,384), type, flag, stream
    Opening{Detection::kSmux, {k0, {1, 255}, k0, {0, 1}, k0, kAny, kAny, kOdd}},
    Opening{Detection::kSmux, {{1, 63}, kAny, k0, {0, 1}, k0, kAny, kAny, kOdd}},
    Opening{Detection::kSmux, {{64, 64}, k0, k0, {0, 1}, k0, kAny, kAny, kOdd}},
};

constexpr std::size_t kYamuxHead = 12;  // no client of yamux sends less
constexpr std::size_t kSmuxFirst = 9;   // a smux request of one byte

std::uint8_t at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

// As far as there are bytes.
bool takes(const Opening& opening, std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), kHead);
  for (std::size_t i = 0; i < size; ++i)
    if (!opening.bytes[i].takes(at(bytes, i))) return false;
  return true;
}

// Whether a smux request follows the first one, of one byte, instead of a window's last bytes and
// another frame of yamux. What follows is whole, or its first frame is full.
bool is_second_request(std::string_view bytes) {
  const unsigned length = at(bytes, 9) * 256U + at(bytes, 10);
  const bool is_number = at(bytes, 13) == 0 && at(bytes, 16) % 2 == 1;
  const bool is_last = at(bytes, 12) == 1;
  const bool is_full = at(bytes, 12) == 0 && length == kLargestDataFrame;
  return is_number && (is_full || (is_last && length >= 1 && length <= kLargestDataFrame));
}

// A 12th byte would be the type in a following smux frame, which is 0; all of the window 0 would be
// an empty frame there, which its client never sends.
Detection tell_apart(std::string_view bytes) {
  if (bytes.size() < kSmuxFirst) return Detection::kMore;
  if (bytes.size() < kYamuxHead) return Detection::kMoreSoon;
  const bool is_no_window = bytes.substr(kHead, 4) == std::string_view("\0\0\0\0", 4);
  if (is_no_window || at(bytes, 11) != 0) return Detection::kYamux;
  if (bytes.size() < kMostToDetect) return Detection::kMoreSoon;
  return is_second_request(bytes) ? Detection::kSmux : Detection::kYamux;
}

}  // namespace

Detection detect(std::string_view first_bytes) {
  const auto* opening =
      std::find_if(kOpenings.begin(), kOpenings.end(),
                   [first_bytes](const Opening& row) { return takes(row, first_bytes); });
  if (opening == kOpenings.end()) return Detection::kNone;
  if (first_bytes.size() < kHead) return Detection::kMore;
  return opening->detection == Detection::kMoreSoon ? tell_apart(first_bytes) : opening->detection;
}

Detection detect_late(std::string_view first_bytes) {
  const Detection detection = detect(first_bytes);
  if (detection != Detection::kMoreSoon) return detection;
  return first_bytes.size() < kYamuxHead ? Detection::kSmux : Detection::kYamux;
}

}  // namespace mux

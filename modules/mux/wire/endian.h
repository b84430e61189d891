// Numbers as they lie in frames: unsigned, in either order of bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace mux::wire {

// Of the first sizeof(Number) bytes, which there must be.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number big_at(std::string_view bytes) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = static_cast<Number>(number << 8U | static_cast<unsigned char>(bytes[i]));
  return number;
}

template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number little_at(std::string_view bytes) {
  Number number = 0;
  for (std::size_t i = sizeof number; i-- > 0;)
    number = static_cast<Number>(number << 8U | static_cast<unsigned char>(bytes[i]));
  return number;
}

template <std::unsigned_integral Number>
void append_big(std::string& out, Number number) {
  for (std::size_t i = sizeof number; i-- > 0;) out += static_cast<char>(number >> (8 * i));
}

template <std::unsigned_integral Number>
void append_little(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof number; ++i) out += static_cast<char>(number >> (8 * i));
}

}  // namespace mux::wire

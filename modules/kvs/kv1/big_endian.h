// Numbers as they lie in frames: unsigned, the highest byte first.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace kvs::kv1 {

// Of the first sizeof(Number) bytes, which there must be.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number number_at(std::string_view bytes) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = static_cast<Number>(number << 8U | static_cast<unsigned char>(bytes[i]));
  return number;
}

template <std::unsigned_integral Number>
void append_number(std::string& out, Number number) {
  for (std::size_t i = sizeof number; i-- > 0;) out += static_cast<char>(number >> (8 * i));
}

}  // namespace kvs::kv1

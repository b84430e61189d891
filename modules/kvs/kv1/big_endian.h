// Numbers as they lie in frames: unsigned, the highest byte first.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kvs::kv1 {

static_assert(std::endian::native == std::endian::little, "or nothing is to be turned round");

// By hand the compilers go byte by byte.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number turned_round(Number number) {
  if constexpr (sizeof number == 8) return __builtin_bswap64(number);
  if constexpr (sizeof number == 4) return __builtin_bswap32(number);
  if constexpr (sizeof number == 2) return __builtin_bswap16(number);
  return number;
}

// Of the first sizeof(Number) bytes, which there must be.
template <std::unsigned_integral Number>
[[nodiscard]] Number number_at(std::string_view bytes) {
  Number number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return turned_round(number);
}

// Into the first sizeof(Number) bytes.
template <std::unsigned_integral Number>
void put_number(char* bytes, Number number) {
  number = turned_round(number);
  std::memcpy(bytes, &number, sizeof number);
}

template <std::unsigned_integral Number>
void append_number(std::string& out, Number number) {
  std::array<char, sizeof number> bytes;
  put_number(bytes.data(), number);
  out.append(bytes.data(), bytes.size());
}

}  // namespace kvs::kv1

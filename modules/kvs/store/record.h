// A stored item as it lies in its cell. Written once, before a slot word names it; from then on
// nothing in it changes but the access bits, until no reader can have it any more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "modules/kvs/store/memory.h"

namespace kvs {

inline constexpr std::size_t kLongestKey = 65535;
inline constexpr std::size_t kLargestValue = std::size_t{64} << 20;

struct Record {
  std::uint64_t cas;         // another one with each write of the key; never 0
  std::uint64_t expires_ms;  // since boot; 0: never
  std::uint32_t flags;       // the client's
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  std::uint8_t size_class;             // of its cell, or kRunClass
  std::atomic<std::uint8_t> accesses;  // lately; for the eviction

  // The key follows at once, where the compiler would leave four bytes empty.
  static constexpr std::size_t kHead = 28;
  static constexpr std::size_t bytes_for(std::size_t key, std::size_t value) {
    return kHead + key + value;
  }

  [[nodiscard]] char* key_begin() { return reinterpret_cast<char*>(this) + kHead; }
  [[nodiscard]] char* value_begin() { return key_begin() + key_bytes; }
  [[nodiscard]] std::string_view key() { return {key_begin(), key_bytes}; }
  [[nodiscard]] std::string_view value() { return {value_begin(), value_bytes}; }
  [[nodiscard]] bool is_expired(std::uint64_t now_ms) const {
    return expires_ms != 0 && expires_ms <= now_ms;
  }
};
static_assert(offsetof(Record, accesses) + 1 == Record::kHead);

// Null unless a whole record lies there.
inline Record* record_at(const Memory& memory, Units units) {
  auto* record = reinterpret_cast<Record*>(memory.at(units, sizeof(Record)));
  if (record == nullptr) return nullptr;
  const std::size_t bytes = Record::bytes_for(record->key_bytes, record->value_bytes);
  return memory.at(units, bytes) != nullptr ? record : nullptr;
}

}  // namespace kvs

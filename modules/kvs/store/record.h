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
  // What most items do without: it lies between the head and the key of those that have it.
  struct Extras {
    std::uint64_t expires_ms;  // since boot; 0: never
    std::uint32_t flags;       // the client's
  };

  std::uint64_t cas;  // another one with each write of the key; never 0
  std::uint32_t value_bytes;
  std::uint16_t key_bytes;
  std::uint8_t extra_bytes;            // kExtras or 0
  std::atomic<std::uint8_t> accesses;  // lately; for the eviction

  static constexpr std::size_t kHead = 16;
  // Without the four bytes that the compiler would leave empty behind it.
  static constexpr std::size_t kExtras = 12;
  static constexpr std::size_t bytes_for(std::size_t key, std::size_t value,
                                         bool has_extras = false) {
    return kHead + (has_extras ? kExtras : 0) + key + value;
  }

  [[nodiscard]] std::size_t bytes() const { return kHead + extra_bytes + key_bytes + value_bytes; }
  [[nodiscard]] bool has_extras() const { return extra_bytes >= kExtras; }
  // With extras only.
  [[nodiscard]] Extras& extras() { return *reinterpret_cast<Extras*>(begin() + kHead); }
  [[nodiscard]] std::uint64_t expires_ms() { return has_extras() ? extras().expires_ms : 0; }
  [[nodiscard]] std::uint32_t flags() { return has_extras() ? extras().flags : 0; }

  [[nodiscard]] char* key_begin() { return begin() + kHead + extra_bytes; }
  [[nodiscard]] char* value_begin() { return key_begin() + key_bytes; }
  [[nodiscard]] std::string_view key() { return {key_begin(), key_bytes}; }
  [[nodiscard]] std::string_view value() { return {value_begin(), value_bytes}; }
  [[nodiscard]] bool is_expired(std::uint64_t now_ms) {
    return has_extras() && extras().expires_ms != 0 && extras().expires_ms <= now_ms;
  }

 private:
  [[nodiscard]] char* begin() { return reinterpret_cast<char*>(this); }
};
static_assert(sizeof(Record) == Record::kHead && alignof(Record) <= kUnitBytes);
static_assert(offsetof(Record::Extras, flags) + sizeof(std::uint32_t) == Record::kExtras);
static_assert(Record::kHead % alignof(Record::Extras) == 0);

// Null unless a whole record lies there.
inline Record* record_at(const Memory& memory, Units units) {
  auto* record = reinterpret_cast<Record*>(memory.at(units, sizeof(Record)));
  if (record == nullptr) return nullptr;
  return memory.at(units, record->bytes()) != nullptr ? record : nullptr;
}
// Where the record is whose key is this.
inline Units units_of_key(const Memory& memory, const char* key) {
  const std::ptrdiff_t bytes = key - memory.region<char>(0);
  static_assert(Record::kHead == kUnitBytes && Record::kExtras < kUnitBytes);
  return static_cast<Units>(bytes) / kUnitBytes - 1;
}

}  // namespace kvs

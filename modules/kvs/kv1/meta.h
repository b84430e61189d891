// The meta form of a value: 24 bytes before it, flags u32 | ttl_ms u64 | cas u64 | reserved u32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvs::kv1 {

inline constexpr std::size_t kMetaBytes = 24;

struct Meta {
  std::uint32_t flags = 0;
  std::uint64_t ttl_ms = 0;  // of a request: 0 is for ever; of an answer: what is left
  std::uint64_t cas = 0;     // of a request: 0 is whatever it has
};

struct MetaValue {
  Meta meta;
  std::string_view value;
};

// None: too short, or the reserved bytes are not 0.
[[nodiscard]] std::optional<MetaValue> parse_meta(std::string_view value);
void append_meta(std::string& out, const Meta& meta);

}  // namespace kvs::kv1

#include "modules/kvs/kv1/meta.h"

#include "modules/kvs/kv1/big_endian.h"

namespace kvs::kv1 {
namespace {

constexpr std::uint32_t kReserved = 0;

}  // namespace

std::optional<MetaValue> parse_meta(std::string_view value) {
  if (value.size() < kMetaBytes) return std::nullopt;
  if (number_at<std::uint32_t>(value.substr(20)) != kReserved) return std::nullopt;
  return MetaValue{{number_at<std::uint32_t>(value), number_at<std::uint64_t>(value.substr(4)),
                    number_at<std::uint64_t>(value.substr(12))},
                   value.substr(kMetaBytes)};
}

void append_meta(std::string& out, const Meta& meta) {
  append_number(out, meta.flags);
  append_number(out, meta.ttl_ms);
  append_number(out, meta.cas);
  append_number(out, kReserved);
}

}  // namespace kvs::kv1

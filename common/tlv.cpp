#include "common/tlv.h"

#include <fmt/format.h>

#include <cstring>

namespace drover {
namespace {

struct RecordHead {
  std::uint16_t type;
  std::uint16_t reserved;
  std::uint32_t size;
};

}  // namespace

Result<std::uint64_t> TlvRecord::number() const {
  std::uint64_t number = 0;
  if (value.size() != sizeof number)
    return Error(fmt::format("record {} has {} bytes, not a number's", type, value.size()));
  std::memcpy(&number, value.data(), sizeof number);
  return number;
}

Result<std::vector<TlvRecord>> parse_tlv(std::string_view bytes) {
  std::vector<TlvRecord> records;
  while (!bytes.empty()) {
    RecordHead head{};
    if (bytes.size() < sizeof head) return Error("the last record is cut off");
    std::memcpy(&head, bytes.data(), sizeof head);
    bytes.remove_prefix(sizeof head);
    if (head.size > bytes.size())
      return Error(fmt::format("record {} is longer than what holds it", head.type));
    records.push_back({head.type, bytes.substr(0, head.size)});
    bytes.remove_prefix(head.size);
  }
  return records;
}

void TlvWriter::put(std::uint16_t type, std::string_view value) {
  const RecordHead head{type, 0, static_cast<std::uint32_t>(value.size())};
  bytes_.append(reinterpret_cast<const char*>(&head), sizeof head).append(value);
}

void TlvWriter::put_number(std::uint16_t type, std::uint64_t value) {
  put(type, {reinterpret_cast<const char*>(&value), sizeof value});
}

}  // namespace drover

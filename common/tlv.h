// Records of type, length and value, for what one version of drover writes and another reads. A
// reader skips the types it does not know, unless they are marked as required. Numbers have eight
// bytes in the byte order of the machine, which both ends share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace drover {

// A type with this bit must be known by whoever reads it.
inline constexpr std::uint16_t kTlvRequired = 0x8000;

struct TlvRecord {
  std::uint16_t type = 0;
  std::string_view value;  // points into the bytes that were parsed

  // An error when it is no number.
  [[nodiscard]] Result<std::uint64_t> number() const;
};

// All records of `bytes`, in order; an error when a length does not fit.
[[nodiscard]] Result<std::vector<TlvRecord>> parse_tlv(std::string_view bytes);

class TlvWriter {
 public:
  void put(std::uint16_t type, std::string_view value);
  void put_number(std::uint16_t type, std::uint64_t value);
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace drover

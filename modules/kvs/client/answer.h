// What a KV1 server says to a request, as values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "modules/kvs/kv1/frame.h"

namespace kvs::client {

// One frame of an answer, as it came.
struct Answer {
  kv1::Status status = kv1::kOk;
  std::uint32_t rid = 0;
  std::string key;
  std::string value;  // of a refusal: text for a person

  [[nodiscard]] bool is_last() const { return status != kv1::kPartial; }
};

// An answer that has been understood. `value` says something when is_ok(), `text` when not.
template <class T>
struct Reply {
  kv1::Status status = kv1::kOk;
  T value{};
  std::string text;

  [[nodiscard]] bool is_ok() const { return status == kv1::kOk; }
};

// "NOT_FOUND", and "status 0x99" for one that this client does not know.
[[nodiscard]] std::string status_name(kv1::Status status);
// "NO_SPACE: the zone is full"; what a server says is made safe for a terminal.
[[nodiscard]] std::string describe(kv1::Status status, std::string_view text);

}  // namespace kvs::client

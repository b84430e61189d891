// kDrain's body, decoded: until when, and which listeners are in no later generation.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/event.h"
#include "common/protocol.h"
#include "common/result.h"

namespace drover {

struct DrainOrder {
  Millis deadline{0};                  // CLOCK_MONOTONIC
  std::vector<std::uint32_t> removed;  // listener ids, to be emptied before they are closed
};

[[nodiscard]] inline Result<DrainOrder> parse_drain(std::string_view body) {
  DrainBody head;
  if (body.size() < sizeof head) return Error("drain message is too short");
  std::memcpy(&head, body.data(), sizeof head);
  body.remove_prefix(sizeof head);
  if (body.size() != head.removed * sizeof(std::uint32_t)) {
    return Error("drain message does not have the length it names");
  }
  DrainOrder order{Millis{head.deadline_ms}, std::vector<std::uint32_t>(head.removed)};
  if (!body.empty()) std::memcpy(order.removed.data(), body.data(), body.size());
  return order;
}

}  // namespace drover

// A zone's header as the master and the next worker find it: any bytes are refused with a reason,
// or say something that could be written to a log.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/check.h"
#include "common/zone.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = drover::check_zone_header(std::as_bytes(std::span(data, size)), 65'536);
  if (!info.ok()) {
    DROVER_CHECK(!info.error().message().empty());
    return 0;
  }
  const std::string& owner = info.value().owner.module;
  const bool is_owned = info.value().state >= drover::ZoneState::kReady;
  DROVER_CHECK(is_owned == !owner.empty());
  DROVER_CHECK(owner.size() <= drover::kLongestZoneOwner);
  DROVER_CHECK(std::ranges::none_of(owner, [](char c) { return c <= ' ' || c > '~'; }));
  return 0;
}

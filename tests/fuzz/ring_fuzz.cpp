// A ring in a zone over which any process may have written: whatever lies there, it is drained in
// bounded time and takes messages again afterwards.
#include "modules/sdk/ring.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

#include "common/check.h"

namespace {

using Ring = drover::Ring<256>;

std::size_t drained(Ring& ring) {
  std::size_t count = 0;
  ring.drain([&](std::string_view message) {
    DROVER_CHECK(message.size() <= Ring::kLongestMessage);
    ++count;
  });
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  alignas(Ring) static unsigned char memory[sizeof(Ring)];
  std::memset(memory, 0, sizeof memory);
  auto& ring = *new (memory) Ring;
  std::memcpy(memory, data, std::min(size, sizeof memory));
  DROVER_CHECK(drained(ring) <= 256 / 8);
  // The bytes may name a living process as the one that is just pushing.
  const bool is_busy = ring.push("after the storm") == drover::RingPush::kBusy;
  DROVER_CHECK(drained(ring) == (is_busy ? 0U : 1U));
  return 0;
}

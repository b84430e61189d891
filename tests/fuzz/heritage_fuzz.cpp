// What another master, or an orphan, says it leaves.
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "common/master_heritage.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<int> fds(20);
  std::iota(fds.begin(), fds.end(), 10);
  const auto decoded = drover::decode_heritage({reinterpret_cast<const char*>(data), size}, fds);
  if (!decoded.ok()) return 0;
  const drover::EncodedHeritage again = drover::encode_heritage(decoded.value());
  if (!drover::decode_heritage(again.bytes, again.fds).ok()) __builtin_trap();
  return 0;
}

// First bytes of whoever connects: what is decided of some of them stays when more have come, and
// after kMostToDetect nothing is left open.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "modules/mux/detect.h"

namespace {

bool is_open(mux::Detection detection) {
  return detection == mux::Detection::kMore || detection == mux::Detection::kMoreSoon;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const mux::Detection whole = mux::detect(bytes);
  if (size >= mux::kMostToDetect && is_open(whole)) __builtin_trap();
  for (std::size_t cut = 0; cut < size; ++cut) {
    const mux::Detection part = mux::detect(bytes.substr(0, cut));
    if (!is_open(part) && part != whole) __builtin_trap();
    const mux::Detection late = mux::detect_late(bytes.substr(0, cut));
    if (late == mux::Detection::kMoreSoon || (late != part && part != mux::Detection::kMoreSoon))
      __builtin_trap();
  }
  return 0;
}

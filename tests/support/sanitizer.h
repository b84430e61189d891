// What a test that looks at memory must know about AddressSanitizer.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "tests/support/command.h"

namespace drover::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kUnderAsan = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kUnderAsan = true;
#else
inline constexpr bool kUnderAsan = false;
#endif
#else
inline constexpr bool kUnderAsan = false;
#endif

// What a limit of memory is multiplied by: the sanitizer's blocks are larger, and those that were
// freed are kept for a while.
inline constexpr std::int64_t kMemoryFactor = kUnderAsan ? 4 : 1;

// It keeps freed memory for a while to find those who use it; that is no leak of the daemon's.
[[nodiscard]] inline Environment without_quarantine() {
  const char* options = std::getenv("ASAN_OPTIONS");
  const std::string former = options == nullptr ? "" : std::string(options) + ":";
  return {{"ASAN_OPTIONS", former + "quarantine_size_mb=1"}};
}

}  // namespace drover::test

#include "common/check.h"

#include <cstdio>
#include <cstdlib>

namespace drover {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "drover: bug: %s:%d: %s does not hold\n", file, line, condition);
  std::abort();
}

}  // namespace drover

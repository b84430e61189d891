#include "common/settings.h"

#include <algorithm>

#include "common/check.h"
#include "common/cpus.h"

namespace drover {

const char* to_string(AcceptStrategy strategy) {
  switch (strategy) {
    case AcceptStrategy::kShared:
      return "shared";
    case AcceptStrategy::kExclusive:
      return "exclusive";
    case AcceptStrategy::kMutex:
      return "mutex";
    case AcceptStrategy::kAcceptor:
      return "acceptor";
    case AcceptStrategy::kReuseport:
      return "reuseport";
  }
  DROVER_CHECK(false);
}

int resolve_workers(const Settings& settings) {
  const int wanted = settings.workers > 0 ? settings.workers : usable_cpus();
  return std::clamp(wanted, 1, kMaxSlots);
}

}  // namespace drover

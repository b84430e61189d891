#include "master/restart_policy.h"

#include <algorithm>

namespace drover {

Millis RestartPolicy::after_death(std::optional<Millis> served) {
  if (served && *served >= kHealthy) young_deaths_ = 0, wait_ = Millis{0};
  if (served && *served < kYoung) ++young_deaths_;
  const bool is_lasting = !served || young_deaths_ >= kYoungDeaths;
  if (!is_lasting) return Millis{0};
  wait_ = wait_ == Millis{0} ? kFirstWait : std::min(wait_ * 2, kLongestWait);
  return wait_;
}

}  // namespace drover

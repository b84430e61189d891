// When to start a slot's next process. A worker that served for a while and died is replaced at
// once; one that keeps dying young points at something lasting, and waits longer each time.
#pragma once

#include <optional>

#include "common/event.h"

namespace drover {

class RestartPolicy {
 public:
  // `served` is how long the process had been READY, nothing when it never was. Returns how long to
  // wait.
  [[nodiscard]] Millis after_death(std::optional<Millis> served);

  static constexpr Millis kFirstWait{100};
  static constexpr Millis kLongestWait{30'000};
  static constexpr Millis kYoung{10'000};    // a death this soon after READY is counted
  static constexpr Millis kHealthy{60'000};  // this long READY, and the past is forgotten
  static constexpr int kYoungDeaths = 3;     // the third starts the back-off

 private:
  int young_deaths_ = 0;
  Millis wait_{0};
};

}  // namespace drover

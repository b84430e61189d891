// When a reload is taken back: more than so many workers of the new generation have crashed before
// its window ended. Takes times, returns a decision.
#pragma once

#include "common/event.h"

namespace drover {

class RollbackPolicy {
 public:
  // A reload serves; `most` crashes are forgiven until the window ends.
  void open(Millis until, int most) { until_ = until, most_ = most, crashes_ = 0, tries_ = 0; }
  void close() { until_ = Millis::min(); }
  [[nodiscard]] bool is_open(Millis now) const { return now < until_; }
  [[nodiscard]] Millis left(Millis now) const { return is_open(now) ? until_ - now : Millis{0}; }

  // A worker has ended badly. True: return to the former generation.
  [[nodiscard]] bool after_crash(Millis now) { return is_open(now) && ++crashes_ > most_; }
  // What was to be returned to could not be built. True: it is not tried again; else it is after as
  // many crashes as before, for what was in the way (no memory, no process) may have gone by then.
  [[nodiscard]] bool after_failed_return() { return crashes_ = 0, ++tries_ >= kTries; }
  [[nodiscard]] int crashes() const { return crashes_; }  // since open()

 private:
  static constexpr int kTries = 2;

  Millis until_ = Millis::min();
  int most_ = 0;
  int crashes_ = 0;
  int tries_ = 0;
};

}  // namespace drover

// When a reload is taken back: more than so many workers of the new generation have crashed before
// its window ended. Takes times, returns a decision.
#pragma once

#include "common/event.h"

namespace drover {

class RollbackPolicy {
 public:
  // A reload serves; `most` crashes are forgiven until the window ends.
  void open(Millis until, int most) { until_ = until, most_ = most, crashes_ = 0; }
  void close() { until_ = Millis::min(); }
  [[nodiscard]] bool is_open(Millis now) const { return now < until_; }
  [[nodiscard]] Millis left(Millis now) const { return is_open(now) ? until_ - now : Millis{0}; }

  // A worker has ended badly. True: return to the former generation.
  [[nodiscard]] bool after_crash(Millis now) { return is_open(now) && ++crashes_ > most_; }
  [[nodiscard]] int crashes() const { return crashes_; }  // since open()

 private:
  Millis until_ = Millis::min();
  int most_ = 0;
  int crashes_ = 0;
};

}  // namespace drover

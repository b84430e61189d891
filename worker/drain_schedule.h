// When a draining worker closes the connections that do not end by themselves: in the last quarter
// of its time, evenly, so that their clients do not all come back at once. A policy: numbers in,
// numbers out.
#pragma once

#include <algorithm>
#include <cstddef>

#include "common/event.h"

namespace drover {

class DrainSchedule {
 public:
  DrainSchedule(Millis begin, Millis deadline)
      : deadline_(deadline), quarter_(std::max(deadline - begin, Millis{0}) / 4) {}

  // How many of `live` connections are to be closed now.
  std::size_t due(std::size_t live, Millis now) {
    if (now >= deadline_) return live;
    if (now < deadline_ - quarter_) return 0;
    at_quarter_ = std::max(at_quarter_, live);
    const auto left = static_cast<std::size_t>((deadline_ - now).count());
    const auto whole = static_cast<std::size_t>(quarter_.count());
    const std::size_t may_live = (at_quarter_ * left + whole - 1) / whole;
    return live > may_live ? live - may_live : 0;
  }

  [[nodiscard]] Millis deadline() const { return deadline_; }
  // How often to ask.
  [[nodiscard]] Millis interval() const {
    return std::clamp(quarter_ / 20, Millis{10}, Millis{250});
  }

 private:
  Millis deadline_;
  Millis quarter_;
  std::size_t at_quarter_ = 0;  // connections when the last quarter began
};

}  // namespace drover

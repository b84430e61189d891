// When a module has failed too often to go on serving: more than so many crashes and hangs within a
// window that moves with the time. Takes names and times, returns a decision.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "common/event.h"

namespace drover {

class QuarantinePolicy {
 public:
  // `most` failures within `window` are forgiven; 0: any number.
  explicit QuarantinePolicy(int most = 0, Millis window = Millis{0})
      : most_(static_cast<std::size_t>(most)), window_(window) {}

  // A worker has crashed or hung in the module. True: its servers are to be taken out of service.
  [[nodiscard]] bool after_failure(const std::string& module, Millis now);

 private:
  std::size_t most_;
  Millis window_;
  std::map<std::string, std::deque<Millis>> failures_;  // by module, oldest first, in the window
};

}  // namespace drover

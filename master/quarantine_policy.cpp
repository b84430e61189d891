#include "master/quarantine_policy.h"

namespace drover {

bool QuarantinePolicy::after_failure(const std::string& module, Millis now) {
  if (most_ == 0) return false;
  std::deque<Millis>& failures = failures_[module];
  failures.push_back(now);
  while (now - failures.front() > window_) failures.pop_front();
  if (failures.size() <= most_) return false;
  failures.pop_front();  // one above the limit is remembered, however many come
  return true;
}

}  // namespace drover

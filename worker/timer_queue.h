// Which of many things is due next. Each key has one deadline at most.
#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/event.h"

namespace drover {

template <class Key>
class TimerQueue {
 public:
  // Replaces the key's deadline.
  void set(Key key, Millis deadline) {
    cancel(key);
    deadlines_.emplace(key, deadline);
    order_.emplace(deadline, key);
  }
  void cancel(Key key) {
    const auto found = deadlines_.find(key);
    if (found == deadlines_.end()) return;
    order_.erase({found->second, key});
    deadlines_.erase(found);
  }
  [[nodiscard]] std::optional<Millis> next() const {
    return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
  }
  // Takes out the earliest key whose deadline is `now` or before.
  [[nodiscard]] std::optional<Key> pop_due(Millis now) {
    if (order_.empty() || order_.begin()->first > now) return std::nullopt;
    const Key key = order_.begin()->second;
    cancel(key);
    return key;
  }

 private:
  std::unordered_map<Key, Millis> deadlines_;
  std::set<std::pair<Millis, Key>> order_;
};

}  // namespace drover

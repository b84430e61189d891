// Which of many things is due next. Each key has one deadline at most.
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/event.h"

namespace drover {

// A heap in which what was cancelled or replaced lies until it comes to the top, or until there is
// more of it than of the rest.
template <class Key>
class TimerQueue {
 public:
  // Replaces the key's deadline.
  void set(Key key, Millis deadline) {
    deadlines_.insert_or_assign(key, deadline);
    heap_.emplace_back(deadline, key);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    drop_stale();
  }
  void cancel(Key key) {
    if (deadlines_.erase(key) > 0) drop_stale();
  }
  [[nodiscard]] std::optional<Millis> next() const {
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().first);
  }
  // Takes out the earliest key whose deadline is `now` or before.
  [[nodiscard]] std::optional<Key> pop_due(Millis now) {
    if (heap_.empty() || heap_.front().first > now) return std::nullopt;
    const Key key = heap_.front().second;
    cancel(key);
    return key;
  }
  // Entries in memory, stale ones too.
  [[nodiscard]] std::size_t kept() const { return heap_.size(); }

 private:
  using Entry = std::pair<Millis, Key>;
  static constexpr std::size_t kFew = 64;  // not worth the work

  [[nodiscard]] bool is_stale(const Entry& entry) const {
    const auto found = deadlines_.find(entry.second);
    return found == deadlines_.end() || found->second != entry.first;
  }
  void drop_stale() {
    while (!heap_.empty() && is_stale(heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    }
    if (heap_.size() <= 2 * deadlines_.size() + kFew) return;
    std::erase_if(heap_, [this](const Entry& entry) { return is_stale(entry); });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  std::unordered_map<Key, Millis> deadlines_;
  std::vector<Entry> heap_;  // the earliest on top, which is never stale
};

}  // namespace drover

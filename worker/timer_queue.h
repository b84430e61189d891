// Which of many things is due next. Each key has one deadline at most.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <unordered_map>
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
    serials_.insert_or_assign(key, ++last_serial_);
    heap_.push_back({deadline, last_serial_, key});
    std::ranges::push_heap(heap_, kEarliestFirst);
    drop_stale();
  }
  void cancel(Key key) {
    if (serials_.erase(key) > 0) drop_stale();
  }
  [[nodiscard]] std::optional<Millis> next() const {
    return heap_.empty() ? std::nullopt : std::optional(heap_.front().deadline);
  }
  // Takes out the earliest key whose deadline is `now` or before; of the same, that set first.
  [[nodiscard]] std::optional<Key> pop_due(Millis now) {
    if (heap_.empty() || heap_.front().deadline > now) return std::nullopt;
    const Key key = heap_.front().key;
    cancel(key);
    return key;
  }
  // Entries in memory, stale ones too.
  [[nodiscard]] std::size_t kept() const { return heap_.size(); }

 private:
  struct Entry {
    Millis deadline;
    std::uint64_t serial;
    Key key;
  };
  static constexpr std::size_t kFew = 64;  // not worth the work
  static constexpr auto kEarliestFirst = [](const Entry& a, const Entry& b) {
    return std::tie(a.deadline, a.serial) > std::tie(b.deadline, b.serial);
  };

  [[nodiscard]] bool is_stale(const Entry& entry) const {
    const auto found = serials_.find(entry.key);
    return found == serials_.end() || found->second != entry.serial;
  }
  void drop_stale() {
    while (!heap_.empty() && is_stale(heap_.front())) {
      std::ranges::pop_heap(heap_, kEarliestFirst);
      heap_.pop_back();
    }
    if (heap_.size() <= 2 * serials_.size() + kFew) return;
    std::erase_if(heap_, [this](const Entry& entry) { return is_stale(entry); });
    std::ranges::make_heap(heap_, kEarliestFirst);
  }

  std::uint64_t last_serial_ = 0;
  std::unordered_map<Key, std::uint64_t> serials_;  // of the entry that counts
  std::vector<Entry> heap_;                         // the earliest on top, which is never stale
};

}  // namespace drover

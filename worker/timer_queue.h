// Which of many things is due next. Each key has one deadline at most.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/event.h"

namespace drover {

// Which entry of a queue counts for a key: its serial, 0 for none.
template <class Key>
class SerialsByKey {
 public:
  [[nodiscard]] std::uint64_t of(Key key) const {
    const auto found = serials_.find(key);
    return found == serials_.end() ? 0 : found->second;
  }
  void set(Key key, std::uint64_t serial) {
    serial == 0 ? void(serials_.erase(key)) : void(serials_.insert_or_assign(key, serial));
  }

 private:
  std::unordered_map<Key, std::uint64_t> serials_;
};

// A heap in which what was cancelled or replaced lies until it comes to the top, or until there is
// more of it than of the rest.
template <class Key, class Serials = SerialsByKey<Key>>
class TimerQueue {
 public:
  explicit TimerQueue(Serials serials = {}) : serials_(std::move(serials)) {}

  // Replaces the key's deadline.
  void set(Key key, Millis deadline) {
    if (serials_.of(key) == 0) ++size_;
    serials_.set(key, ++last_serial_);
    heap_.push_back({deadline, last_serial_, key});
    std::ranges::push_heap(heap_, kEarliestFirst);
    drop_stale();
  }
  void cancel(Key key) {
    if (serials_.of(key) == 0) return;
    serials_.set(key, 0);
    --size_;
    drop_stale();
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
    return serials_.of(entry.key) != entry.serial;
  }
  void drop_stale() {
    while (!heap_.empty() && is_stale(heap_.front())) {
      std::ranges::pop_heap(heap_, kEarliestFirst);
      heap_.pop_back();
    }
    if (heap_.size() <= 2 * size_ + kFew) return;
    std::erase_if(heap_, [this](const Entry& entry) { return is_stale(entry); });
    std::ranges::make_heap(heap_, kEarliestFirst);
  }

  std::uint64_t last_serial_ = 0;
  Serials serials_;
  std::size_t size_ = 0;     // keys that have a deadline
  std::vector<Entry> heap_;  // the earliest on top, which is never stale
};

}  // namespace drover

// How a longest-prefix search, which is many reads, knows that it saw one moment. Each shard counts
// the changes of *which keys there are* (creates, deletes and what changes the time at which a key
// goes, but not other overwrites): how many have begun, and how many have ended. Both counts are
// one word, for there is at most one change at a time in a shard: odd while one is under way. A
// writer that dies in between leaves it odd, and whoever repairs the shard ends the change for it.
//
// A search that has read every counter at rest, and finds at its end that none has begun since, has
// seen the keys as they were from its last first look on: any slot word that a later change had
// written would have brought that change's beginning with it (acquire of the slot word, with the
// release that published it), and so the second look would have seen it.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "modules/kvs/store/layout.h"

namespace kvs {

class ChangeCounter {
 public:
  // Under the shard's lock. The publishing store comes between the two, and is itself a release:
  // it carries the beginning to whoever reads what it published. Release here: who sees this change
  // under way must see what the one before it published.
  void begin() { word_.store(own() + 1, std::memory_order_release); }
  // Release: who reads the count at rest, reads what was published before.
  void end() { word_.store(own() + 1, std::memory_order_release); }
  // Of a writer that died.
  void end_if_begun() {
    if (is_under_way(own())) end();
  }

  [[nodiscard]] std::uint64_t load(std::memory_order order) const { return word_.load(order); }
  static bool is_under_way(std::uint64_t word) { return (word & 1) != 0; }
  static std::uint64_t begun(std::uint64_t word) { return (word + 1) / 2; }

 private:
  [[nodiscard]] std::uint64_t own() const { return word_.load(std::memory_order_relaxed); }

  std::atomic<std::uint64_t> word_;  // zeroed memory
};

// What a search remembers of all counters. They only grow, so that their sum is unmoved when each
// of them is.
class ChangeWatch {
 public:
  explicit ChangeWatch(std::span<const ChangeCounter> counters) : counters_(counters) {}

  // Before the first read of a search.
  void start() {
    begun_ = 0;
    std::uint64_t all = 0;
    for (const ChangeCounter& counter : counters_) {
      const std::uint64_t word = counter.load(std::memory_order_acquire);  // with end()
      all |= word;
      begun_ += ChangeCounter::begun(word);
    }
    is_at_rest_ = !ChangeCounter::is_under_way(all);
  }
  // No change was under way at start().
  [[nodiscard]] bool is_at_rest() const { return is_at_rest_; }
  // After the last read: no change has begun since start(). One that was under way may have ended.
  [[nodiscard]] bool is_unmoved() const {
    // The reads before must not sink below the second look.
    std::atomic_thread_fence(std::memory_order_acquire);
    std::uint64_t begun = 0;
    for (const ChangeCounter& counter : counters_) {
      begun += ChangeCounter::begun(counter.load(std::memory_order_relaxed));
    }
    return begun == begun_;
  }

 private:
  std::span<const ChangeCounter> counters_;
  std::uint64_t begun_ = 0;  // of all
  bool is_at_rest_ = false;
};

}  // namespace kvs

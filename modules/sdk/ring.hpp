// A ring of messages in a zone: any process that has the zone puts messages in, one at a time takes
// them out. Lies in the zone's type, which Drover compares, so that all who share it agree on its
// size; zeroed memory is an empty ring:
//
//   struct Shared { std::array<drover::Ring<65'536>, 64> rings; };
//   zone_->rings[i].push("text"); host_.ring(slot);                          // a producer
//   zone_->rings[i].drain([&](std::string_view message) { ... });            // its on_doorbell
//
// A ring wakes nobody: the producer rings the consumer's doorbell after push(), whatever that
// answered. A producer that is killed between the two leaves a message that the next ring finds.
//
// What holds, wherever processes are killed or stopped:
//  - A message is there whole or not at all. It is published by one store, the last of push(); a
//    producer killed before loses that message and nothing else.
//  - Messages of one producer are in order, and each is taken out once. One that a consumer had
//    taken out when it was killed is lost with it.
//  - Nobody waits without bound: push() at most ProcessLock::kLongestWaitMs (when another producer
//  is
//    stopped in the middle), drain() not at all, for it takes no lock. The consumer may be stopped
//    or gone: the ring is full then.
//  - What is read is checked, for any process may have written anything. A consumer that finds a
//    ring damaged drops all that is in it, counts that, and goes on; until it looks, push() may
//    answer kFull.
// Worker, any hook, or a helper; not in a signal handler.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "process_lock.hpp"

namespace drover {

enum class RingPush {
  kDone,
  kFull,     // dropped, and counted: the consumer lags behind, or there is none
  kBusy,     // not put in: another producer is in the middle of it; later it may do
  kTooLong,  // longer than Ring::kLongestMessage
};

// `kBytes` of room, a power of two. A message takes its size rounded up to 8, and 8 more.
template <std::size_t kBytes>
class Ring {
 public:
  static constexpr std::size_t kLongestMessage = kBytes / 2;  // bytes; the shortest has none

  // Copies the message in.
  [[nodiscard]] RingPush push(std::string_view message) {
    if (message.size() > kLongestMessage) return RingPush::kTooLong;
    if (!producing_.take()) return RingPush::kBusy;
    const bool has_room = append(message);
    producing_.give_back();
    if (has_room) return RingPush::kDone;
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return RingPush::kFull;
  }

  // Makes this process the one that may drain; false when another one that lives is. It stays so
  // until resign() or its end. What a former consumer has left is still in the ring.
  [[nodiscard]] bool claim() { return consuming_.try_take(); }
  // Only by the consumer.
  void resign() { consuming_.give_back(); }
  // Somebody has claimed it, and not resigned; he may have died since. Any process.
  [[nodiscard]] bool is_claimed() const { return consuming_.is_held(); }

  // Calls use(std::string_view) for each message that was there when it began, oldest first; the
  // bytes are a copy that lives during the call. Only by the consumer, and not inside of `use`. If
  // `use` throws, that message is taken out and the rest stays.
  template <class Use>
  void drain(Use use) {
    const std::uint64_t end = written_.load(std::memory_order_acquire);
    std::string message;
    // `at` is read once: each turn brings it nearer to `end`, whatever others write.
    for (std::uint64_t at = read_.load(std::memory_order_relaxed); at != end;) {
      if (!copy_out(at, end, message)) return reset(end);
      at += words_of(message.size());
      read_.store(at, std::memory_order_release);
      use(std::string_view(message));
    }
  }
  // Drops what is there: of one who has claimed it and did not know those it was meant for.
  void skip() { read_.store(written_.load(std::memory_order_acquire), std::memory_order_release); }

  // Messages that were dropped because the ring was full, and times that it was damaged. To be
  // shown: any process may have written over them.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t resets() const { return resets_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kWord = sizeof(std::uint64_t);
  static constexpr std::size_t kWords = kBytes / kWord;
  static_assert(kBytes >= 64 && (kBytes & (kBytes - 1)) == 0, "a power of two, at least 64");

  // With the word that says its length.
  static constexpr std::uint64_t words_of(std::size_t message_size) {
    return 1 + (message_size + kWord - 1) / kWord;
  }
  static std::size_t index_of(std::uint64_t position) { return position % kWords; }
  std::atomic_ref<std::uint64_t> length_at(std::uint64_t position) {
    return std::atomic_ref(words_[index_of(position)]);
  }
  char* bytes() { return reinterpret_cast<char*>(words_.data()); }

  // A producer, under the lock: nobody else writes what is free.
  bool append(std::string_view message) {
    const std::uint64_t at = written_.load(std::memory_order_relaxed);
    const std::uint64_t used = at - read_.load(std::memory_order_acquire);
    if (used > kWords || words_of(message.size()) > kWords - used) return false;
    length_at(at).store(message.size(), std::memory_order_relaxed);
    const std::size_t offset = index_of(at + 1) * kWord;
    const std::size_t before_the_end = std::min(message.size(), kBytes - offset);
    std::copy_n(message.data(), before_the_end, bytes() + offset);
    std::copy_n(message.data() + before_the_end, message.size() - before_the_end, bytes());
    written_.store(at + words_of(message.size()), std::memory_order_release);
    return true;
  }

  // False: no message that a producer can have written lies there. The length is read once.
  bool copy_out(std::uint64_t at, std::uint64_t end, std::string& message) {
    if (end - at > kWords) return false;
    const std::uint64_t length = length_at(at).load(std::memory_order_relaxed);
    if (length > kLongestMessage || words_of(length) > end - at) return false;
    const std::size_t offset = index_of(at + 1) * kWord;
    const std::size_t before_the_end = std::min<std::size_t>(length, kBytes - offset);
    message.assign(bytes() + offset, before_the_end);
    message.append(bytes(), length - before_the_end);
    return true;
  }

  void reset(std::uint64_t end) {
    read_.store(end, std::memory_order_release);
    resets_.fetch_add(1, std::memory_order_relaxed);
  }

  // Positions are counted in words and never turn back; an index is the rest of one by kWords. So
  // every value is one that can be read, and only the distance of the two can be wrong.
  ProcessLock producing_;
  std::atomic<std::uint64_t> written_{0};  // by producers, under the lock
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) ProcessLock consuming_;
  std::atomic<std::uint64_t> read_{0};  // by the consumer
  std::atomic<std::uint64_t> resets_{0};
  // Left as it is: writing zeroes to a zone would make every page of it real.
  alignas(64) std::array<std::uint64_t, kWords> words_;
};

}  // namespace drover

// What the sessions of a worker share: the store, the limits, and what is counted.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/store/store.h"

namespace kvs::kv1 {

using Time = std::chrono::steady_clock::time_point;

struct Limits {
  FrameReader::Limits frame{};
  std::size_t inflight = 1024;  // requests of a connection taken on in a turn; then reading stops
  std::size_t output_bytes = std::size_t{1} << 20;    // not sent yet; then reading stops
  std::size_t memory_bytes = std::size_t{256} << 20;  // that clients may make a worker keep
  std::chrono::milliseconds frame_timeout{10'000};    // for a frame that has begun
};

// Answers that a connection has not taken count against the budget, unless they are as few as this.
inline constexpr std::size_t kFreeOutput = 4096;
constexpr std::size_t counted_output(std::size_t bytes) { return bytes > kFreeOutput ? bytes : 0; }

// What clients make a worker keep: frames that have not ended (with the bytes that have been
// announced and have not come), input and output that waits.
class Budget {
 public:
  explicit Budget(std::size_t most) : most_(most) {}
  [[nodiscard]] bool has_room(std::size_t bytes) const {
    return used_ <= most_ && bytes <= most_ - used_;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  friend class Charge;
  std::size_t most_;
  std::size_t used_ = 0;
};

// A connection's share of it, given back when this goes.
class Charge {
 public:
  explicit Charge(Budget& budget) : budget_(budget) {}
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() { set(0); }

  // False: there is no room, and nothing has changed. Less than before always fits.
  [[nodiscard]] bool try_set(std::size_t bytes) {
    if (bytes > bytes_ && !budget_.has_room(bytes - bytes_)) return false;
    set(bytes);
    return true;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // For what is there already.
  void set(std::size_t bytes) {
    budget_.used_ += bytes - std::exchange(bytes_, bytes);  // less is more, around the end
  }

 private:
  Budget& budget_;
  std::size_t bytes_ = 0;
};

// The time of a turn for work that grows with the data, of all connections together.
class WorkTime {
 public:
  static constexpr std::chrono::microseconds kEachTurn{1'000};

  void begin_turn() { until_.reset(); }
  [[nodiscard]] bool is_over(Time now) {
    if (!until_) until_ = now + kEachTurn;
    return now >= *until_;
  }

 private:
  std::optional<Time> until_;
};

// What is counted, by worker.
enum class Count : std::uint8_t {
  kRequests,
  kHits,
  kMisses,
  kWrites,
  kRefused,
  kBusy,
  kNoSpace,
  kDenied,
  kTooLong,
  kBadFrames,
  kCutFrames,
  kLateFrames,
};
inline constexpr std::size_t kCounts = 12;
struct CountName {
  const char* name;
  const char* help;
};
inline constexpr std::array<CountName, kCounts> kCountNames{{
    {"requests", "frames of clients that have ended"},
    {"hits", "keys that were asked for and found"},
    {"misses", "keys that were asked for and not found"},
    {"writes", "requests that have changed something"},
    {"refused", "requests that were answered with an error"},
    {"busy", "of these, those answered BUSY"},
    {"no_space", "of these, those answered NO_SPACE"},
    {"denied", "of these, those answered DENIED"},
    {"too_long", "of these, those whose key or value was over the limit"},
    {"bad_frames", "connections closed because of bytes that are no frame"},
    {"cut_frames", "frames that ended with the connection"},
    {"late_frames", "connections closed because a frame took too long"},
}};

struct Service {
  Service(Store& its_store, const Limits& its_limits)
      : store(its_store), limits(its_limits), budget(its_limits.memory_bytes) {}

  void count(Count what, std::uint64_t more = 1) { counts[static_cast<std::size_t>(what)] += more; }

  Store& store;
  Limits limits;
  Match match = Match::kByte;
  Eviction eviction = Eviction::kNone;
  std::string token;  // empty: nobody is asked for one
  Budget budget;
  WorkTime work_time;
  Time (*clock)() = &std::chrono::steady_clock::now;
  std::array<std::uint64_t, kCounts> counts{};
};

}  // namespace kvs::kv1

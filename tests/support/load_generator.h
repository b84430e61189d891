// Steady checked load on echo servers: a thread keeps `concurrency` connections open, each
// exchanging random bytes that are verified and ending in one of several ways, and replaces those
// that end. Beside them `pinging` long-lived ones.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/endpoint.h"
#include "tests/support/load_connection.h"
#include "tests/support/load_stats.h"

namespace drover::test {

struct LoadOptions {
  std::vector<Endpoint> targets;      // taken in turn
  int concurrency = 100;              // short connections open at a time
  int pinging = 0;                    // long-lived connections that exchange a message now and then
  Millis ping_pause{50};              // between the messages of a pinging connection
  int pings = 0;                      // of one; 0: without end
  int connections_per_second = 1500;  // at most: two cores must carry both ends
  int max_messages = 5;               // of a short connection, 1..max
  size_t max_message = 16384;         // bytes
  Millis timeout{10'000};             // without progress
  std::uint64_t seed = 1;
};

class LoadGenerator {
 public:
  explicit LoadGenerator(LoadOptions options);  // starts the thread
  LoadGenerator(const LoadGenerator&) = delete;
  LoadGenerator& operator=(const LoadGenerator&) = delete;
  ~LoadGenerator();

  // Opens no more, lets all connections end (those that cannot are timeouts), joins; the final
  // counts.
  LoadStats stop();

  [[nodiscard]] LoadStats stats() const;
  [[nodiscard]] std::vector<LoadFailure> failures() const;
  // Failures that `excused` (names of clients) does not cover; long-lived ones included.
  template <class Names>
  [[nodiscard]] std::vector<LoadFailure> failures_beside(const Names& excused) const {
    std::vector<LoadFailure> rest;
    for (const LoadFailure& failure : failures()) {
      if (excused.count(failure.client) == 0) rest.push_back(failure);
    }
    return rest;
  }
  // Connections with a message sent in part or whole and not fully answered, now.
  [[nodiscard]] int snapshot_mid_message() const { return mid_message_; }
  [[nodiscard]] int open() const { return open_; }
  // True when `count` more connections than now have completed.
  [[nodiscard]] bool wait_for_completed(std::int64_t count, Millis patience = kPatience) const;
  // Forgets max_first_byte and max_answer, to measure what follows.
  void reset_latencies();

 private:
  using Connections = std::vector<std::unique_ptr<LoadConnection>>;

  void run();
  void open_new();
  void refill_tokens(Clock::time_point now);
  void open_one(bool pinging);
  void wait_and_advance();
  void sweep(Clock::time_point now);
  void publish(const LoadStats& news, std::vector<LoadFailure> failed);
  [[nodiscard]] bool is_over() const;

  LoadOptions options_;
  std::minstd_rand random_;
  UniqueFd epoll_;
  Connections live_;
  Connections waiting_;  // a unix listener's queue was full
  std::int64_t opened_ = 0;
  int pinging_live_ = 0;
  double tokens_ = 1;
  Clock::time_point refilled_;
  Clock::time_point swept_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> mid_message_{0};
  std::atomic<int> open_{0};
  mutable std::mutex mutex_;  // guards what other threads read
  LoadStats stats_;
  std::vector<LoadFailure> failures_;
  std::thread thread_;
};

}  // namespace drover::test

// One connection of a LoadGenerator: sends messages of checked random bytes in random pieces,
// verifies each echoed byte, and ends in one of the ways a client may end. Driven by edge-triggered
// readiness; owns its socket.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "common/unique_fd.h"
#include "tests/support/endpoint.h"
#include "tests/support/load_stats.h"
#include "tests/support/payload.h"

namespace drover::test {

// What a connection will do, drawn before it starts.
struct LoadPlan {
  int messages = 1;
  size_t max_message = 16384;  // bytes
  enum class End { kHalfClose, kClose, kReset };
  End end = End::kHalfClose;
  bool pinging = false;  // goes on until finish(), or for so many messages
  int pings = 0;         // 0: without end
  Millis pause{0};       // between the messages of a pinging one
  std::uint64_t seed = 0;
};

class LoadConnection {
 public:
  LoadConnection(Endpoint to, const std::string& source, LoadPlan plan);

  enum class Step { kConnecting, kPausing, kTalking, kAwaitingEnd, kDone };

  // Starts connect(); false when a unix listener's queue is full now: try again with the same
  // object.
  bool start();
  // Goes on as far as the socket allows. To be called on readiness, and by tick() when it paused.
  void advance();
  void tick(Clock::time_point now, Millis timeout);
  // Reports its events to this epoll, with itself as their data, until it is done. Closing alone
  // would not end that while a child that is being forked has a copy of the descriptor.
  void watch(int epoll_fd);
  // A pinging connection: ends after the message it is in.
  void finish() { finishing_ = true; }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Step step() const { return step_; }
  [[nodiscard]] bool is_done() const { return step_ == Step::kDone; }
  [[nodiscard]] bool is_pinging() const { return plan_.pinging; }
  [[nodiscard]] bool is_mid_message() const { return step_ == Step::kTalking && message_sent_ > 0; }
  // What it adds to the generator's counts since it was last asked.
  [[nodiscard]] LoadStats take_stats();
  [[nodiscard]] const std::optional<LoadFailure>& failure() const { return failure_; }

 private:
  void on_connected();
  void begin_message();
  void send_more();
  void receive_more();
  void take(std::string_view bytes);
  void end_message();
  void begin_end();
  void on_end_of_stream();
  void on_errno(int error);
  void fail_with(LoadError error);
  void done();

  Endpoint to_;
  LoadPlan plan_;
  UniqueFd fd_;
  int epoll_fd_ = -1;  // not ours
  Payload payload_;
  std::minstd_rand random_;
  Step step_ = Step::kConnecting;
  bool started_ = false;
  bool finishing_ = false;
  bool half_closed_ = false;
  bool answered_ = false;
  int messages_left_;
  int pings_ = 0;
  std::uint64_t stream_offset_ = 0;  // where the current message starts in the payload
  size_t message_size_ = 0;
  size_t message_sent_ = 0;
  size_t message_received_ = 0;
  Clock::time_point started_at_;
  Clock::time_point message_at_;
  Clock::time_point progress_at_;
  Clock::time_point resume_at_;
  std::string name_;
  LoadStats stats_;
  std::optional<LoadFailure> failure_;
};

}  // namespace drover::test

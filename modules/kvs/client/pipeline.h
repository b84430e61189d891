// One connection to a KV1 server with any number of requests on their way. Answers come in any
// order and are told apart by RID. Whatever waits, waits for both directions: what comes is read
// and kept while a request cannot be sent, so that two full buffers never stand against each other.
//
// An error is the connection's end, unless it is said of an argument or the caller has interrupted
// himself (Options::cancel_fd): the server closed, sent what is not KV1, or did not answer in time
// (a late answer would be taken for another's). Every later call has the same error; answers that
// came before it are still given out. What a server refuses is no error, but an Answer with its
// status.
//
// Not thread-safe; not to be moved while requests are on their way. Nothing here raises SIGPIPE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/result.h"
#include "common/unique_fd.h"
#include "modules/kvs/client/answer.h"
#include "modules/kvs/kv1/frame.h"

namespace kvs::client {

using Clock = std::chrono::steady_clock;

struct Options {
  // Of each call, from its beginning to its end; of connecting, too.
  std::chrono::milliseconds timeout{5'000};
  // Borrowed. While it can be read, every call that would wait fails: "interrupted". It is not the
  // connection's end.
  int cancel_fd = -1;
};

class Pipeline {
 public:
  // `socket` is connected and non-blocking.
  Pipeline(drover::UniqueFd socket, Options options);

  // Puts a request behind those before it and gives its RID, never 0; after an error it is not
  // there. Waits until less than 256 KiB are to be sent before it; they leave with receive(),
  // flush() or advance(). A key over 65,535 bytes or a value over 64 MiB is refused.
  drover::Result<std::uint32_t> send(kv1::Request type, std::string_view key,
                                     std::string_view value);
  // Returns when the kernel has everything.
  drover::Status flush();

  // The next frame of any answer, in the order in which they came. Something must be on its way.
  drover::Result<Answer> receive();
  // The next frame of this answer; those of others are kept. MGET and SCAN have several: PARTIAL
  // until the last.
  drover::Result<Answer> receive(std::uint32_t rid);

  // The same within a time that spans several calls.
  [[nodiscard]] Clock::time_point deadline() const { return Clock::now() + options_.timeout; }
  drover::Result<std::uint32_t> send(kv1::Request type, std::string_view key,
                                     std::string_view value, Clock::time_point end);
  drover::Result<Answer> receive(std::uint32_t rid, Clock::time_point end);

  // Requests whose last frame has not come.
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }

  // For who waits for many connections at once: poll fd() for input, and for output while there is
  // some, then advance(): sends and reads what can be without waiting, and take() what has come.
  // send_some() only sends: nothing comes that was not polled for.
  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool has_output() const { return sent_ < output_.size(); }
  drover::Status advance();
  void send_some();
  [[nodiscard]] std::optional<Answer> take();

  // For who finds that an answer makes no sense: the connection's end, with this reason.
  drover::Error give_up(std::string why);

 private:
  template <class Wanted>
  drover::Status wait_until(Wanted wanted, Clock::time_point end);
  drover::Status wait(Clock::time_point end);
  void read_some();
  void keep(const kv1::ReceivedFrame& received);
  void on_fault(kv1::FrameFault fault);
  void on_end();
  std::uint32_t next_rid();
  [[nodiscard]] std::optional<Answer> take(std::uint32_t rid);

  drover::UniqueFd socket_;
  Options options_;
  kv1::FrameReader reader_;
  std::string buffer_;  // what one recv() may give
  std::string output_;
  std::size_t sent_ = 0;  // of output_
  std::uint32_t last_rid_ = 0;
  std::unordered_map<std::uint32_t, kv1::Request> in_flight_;
  std::deque<Answer> answers_;  // come, and not asked for yet
  std::optional<drover::Error> end_;
};

}  // namespace kvs::client

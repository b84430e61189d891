// Frames of a session that go ahead of all streams' data, first in, first out. Some of them are
// notices, which no peer waits for: they are no reason to send, until they have waited for
// kNoticeDelay, or kMostNotices are together, or any other frame is there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "modules/mux/time.h"

namespace mux {

class ControlQueue {
 public:
  // One frame of at most 255 bytes.
  void add(std::string_view frame);
  void add_notice(std::string_view frame, Time now);

  [[nodiscard]] bool is_empty() const { return frames_.empty(); }
  [[nodiscard]] bool is_due() const { return is_due_; }
  // When it will be, by time alone.
  [[nodiscard]] std::optional<Time> due_at() const { return due_at_; }
  void wake(Time now);
  // In bytes, of what has not left.
  [[nodiscard]] std::size_t size() const { return frames_.size() - begin_; }

  // Whole frames, due or not, until `out` has `room` bytes; the last may go over it.
  void append_to(std::string& out, std::size_t room);

 private:
  void keep(std::string_view frame);
  void set_due();
  void forget_notices();

  std::string frames_;  // each after a byte that says how long it is
  std::size_t begin_ = 0;
  bool is_due_ = false;
  std::size_t notices_ = 0;     // while none of it is due
  std::optional<Time> due_at_;  // ... and there are some
};

}  // namespace mux

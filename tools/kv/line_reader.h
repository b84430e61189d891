// Lines of a file or of standard input, as they come. Reading can be waited for together with a
// descriptor that ends the waiting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace drover::kv {

class LineReader {
 public:
  // Both borrowed; a cancel_fd of -1 is never readable.
  LineReader(int fd, int cancel_fd) : fd_(fd), cancel_fd_(cancel_fd) {}

  // The next line without its newline, good until the next fill(). Nothing: fill(), or it is the
  // end. A last line without a newline is a line.
  [[nodiscard]] std::optional<std::string_view> next();
  // Waits for more and reads it. The error is for the terminal: of reading, "interrupted", or a
  // line longer than `longest`.
  Status fill();
  // Whether fill() would return at once.
  [[nodiscard]] bool is_ready() const;
  [[nodiscard]] bool is_at_end() const { return is_at_end_ && begin_ == buffer_.size(); }

  [[nodiscard]] std::uint64_t read_bytes() const { return read_bytes_; }

 private:
  int fd_;
  int cancel_fd_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of the next line
  std::size_t searched_ = 0;  // no newline between begin_ and here
  bool is_at_end_ = false;
  std::uint64_t read_bytes_ = 0;
};

}  // namespace drover::kv

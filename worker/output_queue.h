// What a connection has still to send, first in, first out: bytes of its own, bytes that a module
// keeps until it is told that they have left, and ranges of files. Exists only while there is
// something.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/unique_fd.h"
#include "worker/transport.h"

namespace drover {

// A module's bytes, lent. Told once, when this goes: they were sent or never will be.
class LentBytes {
 public:
  using Release = void (*)(void* argument);

  LentBytes(std::string_view bytes, Release release, void* argument)
      : bytes_(bytes), release_(release), argument_(argument) {}
  LentBytes(LentBytes&& other) noexcept
      : bytes_(other.bytes_),
        release_(std::exchange(other.release_, nullptr)),
        argument_(other.argument_) {}
  LentBytes& operator=(LentBytes&&) = delete;
  ~LentBytes() {
    if (release_ != nullptr) release_(argument_);
  }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string_view bytes_;
  Release release_;  // may be null
  void* argument_;
};

// Bytes of a file that stays open for it.
struct FileRange {
  std::shared_ptr<const UniqueFd> file;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
};

// Whether a failed send may succeed later. Nothing else is worth telling apart: a real error shows
// at the next call, or when the socket is read.
[[nodiscard]] bool means_later(int error_number);

class OutputQueue {
 public:
  struct Sent {
    std::size_t size_bytes = 0;
    bool is_full = false;    // the transport takes no more now, or this turn's share is used up
    bool is_broken = false;  // a socket error, or a file that is shorter than was said
  };

  // Bytes; what is left of a file counts as what is pending.
  [[nodiscard]] std::size_t size() const { return size_bytes_; }

  void append(std::string_view bytes);  // copied
  void append(LentBytes lent);
  void append(FileRange range);

  // Sends what the kernel takes, at most some megabytes a call. `fin_follows`: the end of stream is
  // sent as soon as nothing is left.
  Sent send(Transport& transport, bool fin_follows);

 private:
  using Part = std::variant<std::vector<char>, LentBytes, FileRange>;

  [[nodiscard]] bool front_is_file() const {
    return std::holds_alternative<FileRange>(parts_.front());
  }
  [[nodiscard]] ssize_t send_memory(Transport& transport, std::size_t& wanted,
                                    bool fin_follows) const;
  [[nodiscard]] ssize_t send_file(Transport& transport, std::size_t& wanted) const;
  void drop(std::size_t size_bytes);

  std::deque<Part> parts_;
  std::size_t front_sent_ = 0;  // bytes of the first part that have left
  std::size_t size_bytes_ = 0;  // of all parts, without those
};

}  // namespace drover

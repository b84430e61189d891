#include "tools/kv/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "modules/kvs/kv1/frame.h"

namespace drover::kv {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
// The longest key and value, with every byte escaped.
constexpr std::size_t kLongestLine =
    4 * (std::size_t{kvs::kv1::kLongestKey} + kvs::kv1::kLongestValue) + 1;

}  // namespace

std::optional<std::string_view> LineReader::next() {
  const std::size_t newline = buffer_.find('\n', searched_);
  const bool is_last = newline == buffer_.npos && is_at_end_ && begin_ < buffer_.size();
  if (newline == buffer_.npos && !is_last) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  const std::size_t end = is_last ? buffer_.size() : newline;
  const std::string_view line = std::string_view(buffer_).substr(begin_, end - begin_);
  begin_ = is_last ? end : end + 1;
  searched_ = begin_;
  return line;
}

bool LineReader::is_ready() const {
  pollfd one{fd_, POLLIN, 0};
  return ::poll(&one, 1, 0) == 1;
}

Status LineReader::fill() {
  std::array<pollfd, 2> both{{{fd_, POLLIN, 0}, {cancel_fd_, POLLIN, 0}}};
  if (::poll(both.data(), both.size(), -1) < 0 && errno != EINTR) return Error::from_errno("poll");
  if (both[1].revents != 0) return Error("interrupted");
  if (both[0].revents == 0) return Done{};

  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  if (buffer_.size() > kLongestLine) return Error("a line is longer than any key and value");
  const std::size_t kept = buffer_.size();
  buffer_.resize(kept + kReadBytes);
  const ssize_t count = ::read(fd_, buffer_.data() + kept, kReadBytes);
  const int code = errno;
  const std::size_t got = count > 0 ? static_cast<std::size_t>(count) : 0;
  buffer_.resize(kept + got);
  read_bytes_ += got;
  is_at_end_ = count == 0;
  if (count < 0 && code != EINTR && code != EAGAIN) return Error::from_errno("read", code);
  return Done{};
}

}  // namespace drover::kv

// Frames out of bytes that are cut anywhere: the head is gathered, which is a few bytes; the body
// is passed on as it comes and is never kept.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mux::wire {

// The handler has
//   std::uint32_t on_head(std::string_view head)           how many bytes of body follow
//   void on_body(std::string_view part, bool is_last)      a part of it, never empty
//   bool goes_on() const                                   false: the rest is dropped
template <std::size_t kHeadBytes>
class FrameReader {
 public:
  template <typename Handler>
  void read(std::string_view bytes, Handler& handler) {
    while (!bytes.empty() && handler.goes_on())
      bytes.remove_prefix(body_left_ > 0 ? pass_body(bytes, handler) : take_head(bytes, handler));
  }

 private:
  template <typename Handler>
  std::size_t pass_body(std::string_view bytes, Handler& handler) {
    const std::string_view part = bytes.substr(0, body_left_);
    body_left_ -= static_cast<std::uint32_t>(part.size());
    handler.on_body(part, body_left_ == 0);
    return part.size();
  }

  template <typename Handler>
  std::size_t take_head(std::string_view bytes, Handler& handler) {
    if (head_size_ == 0 && bytes.size() >= kHeadBytes) {
      body_left_ = handler.on_head(bytes.substr(0, kHeadBytes));
      return kHeadBytes;
    }
    const std::size_t taken = std::min(bytes.size(), kHeadBytes - head_size_);
    std::copy_n(bytes.begin(), taken, head_.begin() + head_size_);
    head_size_ += taken;
    if (head_size_ == kHeadBytes) {
      head_size_ = 0;
      body_left_ = handler.on_head({head_.data(), kHeadBytes});
    }
    return taken;
  }

  std::array<char, kHeadBytes> head_{};
  std::size_t head_size_ = 0;
  std::uint32_t body_left_ = 0;
};

}  // namespace mux::wire

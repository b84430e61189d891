// Bytes that the kernel did not take, first in, first out. Exists only while there are some.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

namespace drover {

class OutputBuffer {
 public:
  [[nodiscard]] std::size_t size() const { return bytes_.size() - sent_; }
  [[nodiscard]] std::string_view front() const { return {bytes_.data() + sent_, size()}; }

  void append(std::string_view bytes) {
    if (sent_ > bytes_.size() / 2) compact();
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void drop_front(std::size_t size_bytes) { sent_ += size_bytes; }

 private:
  void compact() {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }

  std::vector<char> bytes_;
  std::size_t sent_ = 0;  // bytes at the front that have left
};

}  // namespace drover

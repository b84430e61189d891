// Which streams each connection carries: lists by the connections' numbers in the table, without a
// piece of memory for each stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "worker/zeroed_array.h"

namespace drover {

class StreamLists {
 public:
  // Of numbers below `capacity`.
  explicit StreamLists(std::size_t capacity) : links_(make_zeroed_array<Links>(capacity)) {}

  // Streams of all connections.
  [[nodiscard]] std::size_t size() const { return size_; }
  // The stream that was added last, of those that are left.
  [[nodiscard]] std::optional<std::uint32_t> last(std::uint32_t parent) const {
    const std::uint32_t last = links_[parent].last;
    return last == 0 ? std::nullopt : std::optional(last - 1);
  }

  // A stream is in one list at most.
  void add(std::uint32_t parent, std::uint32_t stream);
  void remove(std::uint32_t parent, std::uint32_t stream);

 private:
  struct Links {  // numbers + 1; 0: none
    std::uint32_t last;
    std::uint32_t older;
    std::uint32_t newer;
  };

  ZeroedArray<Links> links_;
  std::size_t size_ = 0;
};

}  // namespace drover

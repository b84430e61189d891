// The memory that all processes of a store share, as one of them sees it. It is mapped at another
// address in each, so what lies in it is named by its distance from the beginning, in units of 16
// bytes, and the step from such a number to a pointer is checked here: whatever a slot word says,
// nobody reads beside the cells. (Of a record the sizes are read once more with each use: what is
// written over while somebody reads it is not checked again.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvs {

using Units = std::uint64_t;  // of kUnitBytes, from the beginning of the memory; 0 is nowhere
inline constexpr std::size_t kUnitBytes = 16;

// A value; lives as long as the mapping.
class Memory {
 public:
  // Cells begin there: what comes before them is no place that a word may name.
  Memory(std::span<std::byte> bytes, std::uint64_t cells_begin)
      : base_(bytes.data()), size_(bytes.size()), first_(cells_begin / kUnitBytes) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  // Null unless `bytes` bytes lie there.
  [[nodiscard]] std::byte* at(Units units, std::size_t bytes) const {
    if (units < first_ || units > size_ / kUnitBytes) return nullptr;
    const std::size_t begin = units * kUnitBytes;
    return bytes <= size_ - begin ? base_ + begin : nullptr;
  }
  // Of a place that was checked when the store was attached (Layout).
  template <class T>
  [[nodiscard]] T* region(std::uint64_t byte_offset) const {
    return reinterpret_cast<T*>(base_ + byte_offset);
  }

 private:
  std::byte* base_;
  std::size_t size_;
  Units first_;
};

}  // namespace kvs

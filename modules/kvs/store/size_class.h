// How memory is cut: pages of 64 KiB, each cut into cells of one size. From one size to the next it
// is an eighth more, or 16 bytes, so a record wastes a twentieth of its cell on average. What does
// not fit in half a page has a run of whole pages.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "modules/kvs/store/memory.h"

namespace kvs {

inline constexpr std::size_t kPageBytes = 65536;
inline constexpr std::size_t kSmallestCell = 32;
inline constexpr std::size_t kCellsPerPage = kPageBytes / kSmallestCell;  // at most

namespace detail {

// The next cell after one of `bytes`: an eighth more, in units, without what a page has no use for:
// of two sizes that a page holds equally many of, the larger one is taken.
constexpr std::size_t next_cell(std::size_t bytes) {
  const std::size_t wanted = std::max(bytes + kUnitBytes, bytes + bytes / 8);
  return kPageBytes / (kPageBytes / wanted) / kUnitBytes * kUnitBytes;
}
constexpr std::size_t count_classes() {
  std::size_t count = 1;
  for (std::size_t bytes = kSmallestCell; bytes < kPageBytes / 2; bytes = next_cell(bytes)) ++count;
  return count;
}

}  // namespace detail

inline constexpr std::size_t kSizeClasses = detail::count_classes();
inline constexpr std::uint8_t kRunClass = 255;  // in the place of a size class: a run of pages

inline constexpr auto kCellBytes = [] {
  std::array<std::uint32_t, kSizeClasses> cells{};
  std::size_t bytes = kSmallestCell;
  for (auto& cell : cells) {
    cell = static_cast<std::uint32_t>(bytes);
    bytes = detail::next_cell(bytes);
  }
  return cells;
}();
static_assert(kCellBytes.back() == kPageBytes / 2 && kSizeClasses < kRunClass);

// The smallest that holds so many bytes, or kRunClass.
constexpr std::uint8_t size_class_of(std::size_t bytes) {
  const auto cell = std::lower_bound(kCellBytes.begin(), kCellBytes.end(), bytes);
  return cell == kCellBytes.end() ? kRunClass
                                  : static_cast<std::uint8_t>(cell - kCellBytes.begin());
}
constexpr std::uint32_t cells_per_page(std::uint8_t size_class) {
  return static_cast<std::uint32_t>(kPageBytes / kCellBytes[size_class]);
}
constexpr std::uint32_t pages_for(std::size_t bytes) {
  return static_cast<std::uint32_t>((bytes + kPageBytes - 1) / kPageBytes);
}

}  // namespace kvs

// The pages of a store, and whose they are. An owner word says all: free, cut into cells for one
// shard, or part of a run of one shard. A page is taken from the free by compare-and-swap, under
// the lock of the shard that takes it, and is nobody's again by a store of that shard. So a process
// that dies anywhere leaves each page either free or its shard's, whose repair looks for it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "modules/kvs/store/size_class.h"

namespace kvs {

enum class PageKind : std::uint8_t {
  kFree,
  kCells,
  kRun,      // the first page of a run
  kRunTail,  // each further one
};

struct PageUse {
  PageKind kind = PageKind::kFree;
  std::uint8_t shard = 0;
  std::uint8_t size_class = 0;  // kCells
  std::uint32_t run_pages = 0;  // kRun
  bool operator==(const PageUse&) const = default;
};

struct PageOwner {
  std::atomic<std::uint64_t> word;  // a PageUse; zero is free
};

// What the shard that has a page knows about it, under its lock. Derived: a repair makes it anew.
struct PageInfo {
  std::uint32_t next;  // pages of the same class with room, in a list: the number plus 1, or 0
  std::uint32_t previous;
  std::uint32_t used_cells;
  std::uint32_t unused;
  std::array<std::uint64_t, kCellsPerPage / 64> used;    // by cell
  std::array<std::uint64_t, kCellsPerPage / 64> marked;  // during a collection of garbage
};

// Where to begin to look. Each word counts how often pages were given back (upper half) and says
// that below so many pages from one end none is free (lower half). Who has looked further says so
// if nobody has given back a page meanwhile. Derived: a repair sets them to zero.
struct PageHints {
  std::atomic<std::uint64_t> from_bottom;
  std::atomic<std::uint64_t> from_top;
};

class PageMap {
 public:
  PageMap(std::span<PageOwner> owners, std::span<PageInfo> infos, PageHints& hints,
          std::uint64_t first_page_byte)
      : owners_(owners), infos_(infos), hints_(hints), first_page_byte_(first_page_byte) {}

  // The rest under the lock of use.shard. Single pages are taken from the bottom and runs from the
  // top, so that the space between stays whole for long.
  [[nodiscard]] std::optional<std::uint32_t> take(const PageUse& use);
  [[nodiscard]] std::optional<std::uint32_t> take_run(std::uint8_t shard, std::uint32_t pages);
  void give_back(std::uint32_t page, std::uint32_t count);
  [[nodiscard]] bool is_full() { return first_free() == count(); }
  // Has everybody look at all pages again: of a repair, for one who died between freeing a page and
  // telling; and now and then, for hints that were written over.
  void forget_failures() { tell_of(0, count() - 1); }

  [[nodiscard]] PageUse use_of(std::uint32_t page) const {
    return unpack(owners_[page].word.load(std::memory_order_relaxed));
  }
  [[nodiscard]] PageInfo& info(std::uint32_t page) const { return infos_[page]; }
  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(owners_.size()); }

  [[nodiscard]] Units units_of(std::uint32_t page, std::size_t byte) const {
    return (first_page_byte_ + std::uint64_t{page} * kPageBytes + byte) / kUnitBytes;
  }
  // Where something lies; none: in no page.
  struct Place {
    std::uint32_t page;
    std::uint32_t byte;
  };
  [[nodiscard]] std::optional<Place> place_of(Units units) const {
    const std::uint64_t distance = units * kUnitBytes - first_page_byte_;  // before it: far behind
    if (distance / kPageBytes >= count()) return std::nullopt;
    return Place{static_cast<std::uint32_t>(distance / kPageBytes),
                 static_cast<std::uint32_t>(distance % kPageBytes)};
  }

 private:
  // run_pages 32 | size_class 8 | shard 8 | kind 8.
  static constexpr std::uint64_t pack(const PageUse& use) {
    return std::uint64_t{use.run_pages} << 32 | std::uint64_t{use.size_class} << 16 |
           std::uint64_t{use.shard} << 8 | static_cast<std::uint64_t>(use.kind);
  }
  static constexpr PageUse unpack(std::uint64_t word) {
    return {.kind = static_cast<PageKind>(word & 0xff),
            .shard = static_cast<std::uint8_t>(word >> 8),
            .size_class = static_cast<std::uint8_t>(word >> 16),
            .run_pages = static_cast<std::uint32_t>(word >> 32)};
  }
  // From the bottom; count(): none.
  std::uint32_t first_free();
  // How many at the top are not free.
  std::uint32_t taken_at_top();
  [[nodiscard]] bool is_free(std::uint32_t page) const {
    return owners_[page].word.load(std::memory_order_relaxed) == 0;
  }
  // These were given back.
  void tell_of(std::uint32_t first, std::uint32_t last);
  bool take_page(std::uint32_t page, const PageUse& use);
  [[nodiscard]] std::optional<std::uint32_t> find_run(std::uint32_t pages);
  bool take_run_at(std::uint32_t first, std::uint32_t pages, std::uint8_t shard);

  std::span<PageOwner> owners_;
  std::span<PageInfo> infos_;
  PageHints& hints_;
  std::uint64_t first_page_byte_;
  // A run of so many pages was not found, as of a hint.
  std::uint32_t no_run_of_ = ~std::uint32_t{0};
  std::uint64_t no_run_at_ = 0;
};

}  // namespace kvs

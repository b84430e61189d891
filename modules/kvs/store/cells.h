// The allocator of one shard: cells in its pages, and runs of pages for what is large. A bitmap for
// each page says which cells are in use; pages with room are in a list for each size. A page whose
// last cell is freed goes back to all shards and sizes at once, so memory that is free anywhere can
// become anything.
//
// All of it under the shard's lock. It knows nothing of readers: what it is told to free is free.
#pragma once

#include <array>
#include <cstdint>

#include "modules/kvs/store/pages.h"

namespace kvs {

// For each size the first page with room: its number plus 1, or 0. Derived.
using PagesWithRoom = std::array<std::uint32_t, kSizeClasses>;

class Cells {
 public:
  Cells(PageMap& pages, PagesWithRoom& with_room, std::uint8_t shard)
      : pages_(pages), with_room_(with_room), shard_(shard) {}

  // Room for so many bytes; 0: there is none. When no page is free, a cell of a larger size does.
  [[nodiscard]] Units allocate(std::size_t bytes);
  void free(Units units);
  // The size of the cell there; kRunClass for a run.
  [[nodiscard]] std::uint8_t size_class_at(Units units) const;

  // For a collection of garbage: mark what is in use, then free the rest of what the shard has.
  void clear_marks();
  void mark(Units units);
  [[nodiscard]] bool is_marked(Units units) const;
  std::uint64_t free_unmarked();  // how many cells and runs
  // For a repair: counts and lists from the bitmaps.
  void rebuild_lists();

  // How many cells and runs are in use; for audits.
  [[nodiscard]] std::uint64_t count_used() const;

 private:
  // A cell by its number in a page.
  struct Cell {
    std::uint32_t page;
    std::uint32_t index;
  };

  [[nodiscard]] Units allocate_in(std::uint8_t size_class);
  [[nodiscard]] bool add_page(std::uint8_t size_class);
  // None: nothing of this shard begins there.
  [[nodiscard]] std::optional<Cell> cell_at(Units units) const;
  void free_cell(const Cell& cell, std::uint8_t size_class);
  std::uint64_t free_unmarked_cells(std::uint32_t page);
  void link(std::uint32_t page, std::uint8_t size_class);
  void unlink(std::uint32_t page, std::uint8_t size_class);
  [[nodiscard]] bool is_mine(const PageUse& use) const {
    return use.kind != PageKind::kFree && use.shard == shard_;
  }

  PageMap& pages_;
  PagesWithRoom& with_room_;
  std::uint8_t shard_;
};

}  // namespace kvs

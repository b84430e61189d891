// The allocator of one shard: cells in its pages, and runs of pages for what is large. A bitmap for
// each page says which cells are in use; pages with room are in a list for each size. A page whose
// last cell is freed goes back to all shards and sizes at once, so memory that is free anywhere can
// become anything.
//
// What it finds in memory it does not trust: numbers of pages and cells that cannot be lead
// nowhere. So a store that somebody has written over loses items, and no process.
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

  // Room for so many bytes; 0: there is none.
  [[nodiscard]] Units allocate(std::size_t bytes);
  // The same in a cell of a larger size: when there is none otherwise.
  [[nodiscard]] Units allocate_larger(std::size_t bytes);
  void free(Units units);
  // Of the cell or run there; 0: none.
  [[nodiscard]] std::size_t bytes_at(Units units) const;

  // For an eviction. A page of that size, with room or not; kRunClass: that begins a run.
  [[nodiscard]] bool is_page_of(std::uint32_t page, std::uint8_t size_class) const;
  // How many cells of a page are in use, or the run that begins there; 0 for a page of others.
  [[nodiscard]] std::uint32_t count_used(std::uint32_t page) const;
  // How many cells of a size are free in this shard's pages; counts up to so many.
  [[nodiscard]] std::uint32_t room(std::uint8_t size_class, std::uint32_t most) const;
  // Calls visit(units) for each cell in use, or the run, that begins in a page of this shard. It
  // may free cells.
  template <class Visit>
  void visit_used(std::uint32_t page, Visit visit) const;

  // For a collection of garbage: mark what is in use, then free the rest of what the shard has.
  void clear_marks();
  std::size_t mark(Units units);  // of how many bytes it is; 0: nothing of this shard begins there
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
  [[nodiscard]] bool has_room(std::uint8_t size_class) const { return with_room_[size_class] != 0; }
  // Of a list that there is: whether its first page is one of that size, and has room.
  [[nodiscard]] bool begins_with_room(std::uint8_t size_class) const;
  [[nodiscard]] bool add_page(std::uint8_t size_class);
  // None: nothing of this shard begins there.
  [[nodiscard]] std::optional<Cell> cell_at(Units units) const;
  [[nodiscard]] std::size_t bytes_of(const Cell& cell) const;
  void free_cell(const Cell& cell, std::uint8_t size_class);
  std::uint64_t free_unmarked_cells(std::uint32_t page);
  // The page that a list goes on with; null: none.
  [[nodiscard]] PageInfo* page_in_list(std::uint32_t link) const {
    return link != 0 && link <= pages_.count() ? &pages_.info(link - 1) : nullptr;
  }
  void link(std::uint32_t page, std::uint8_t size_class);
  void unlink(std::uint32_t page, std::uint8_t size_class);
  [[nodiscard]] bool is_mine(const PageUse& use) const {
    return use.kind != PageKind::kFree && use.shard == shard_;
  }
  static bool has_cells(const PageUse& use) {
    return use.kind == PageKind::kCells && use.size_class < kSizeClasses;
  }

  PageMap& pages_;
  PagesWithRoom& with_room_;
  std::uint8_t shard_;
};

template <class Visit>
void Cells::visit_used(std::uint32_t page, Visit visit) const {
  const PageUse use = pages_.use_of(page);
  if (!is_mine(use)) return;
  if (use.kind == PageKind::kRun) visit(pages_.units_of(page, 0));
  if (!has_cells(use)) return;
  const auto used = pages_.info(page).used;
  for (std::uint32_t cell = 0; cell < cells_per_page(use.size_class); ++cell) {
    if ((used[cell / 64] >> cell % 64 & 1) == 0) continue;
    visit(pages_.units_of(page, std::size_t{cell} * kCellBytes[use.size_class]));
  }
}

}  // namespace kvs

#include "modules/kvs/store/cells.h"

#include <algorithm>
#include <bit>

namespace kvs {
namespace {

using Bitmap = decltype(PageInfo::used);

void set(Bitmap& bitmap, std::uint32_t bit) { bitmap[bit / 64] |= std::uint64_t{1} << bit % 64; }
void clear(Bitmap& bitmap, std::uint32_t bit) {
  bitmap[bit / 64] &= ~(std::uint64_t{1} << bit % 64);
}
bool is_set(const Bitmap& bitmap, std::uint32_t bit) {
  return (bitmap[bit / 64] >> bit % 64 & 1) != 0;
}
std::uint32_t count(const Bitmap& bitmap) {
  int bits = 0;
  for (const std::uint64_t word : bitmap) bits += std::popcount(word);
  return static_cast<std::uint32_t>(bits);
}
// The page was taken by who died before its bitmap was made.
void clear_from(Bitmap& bitmap, std::uint32_t first) {
  if (first >= kCellsPerPage) return;
  bitmap[first / 64] &= (std::uint64_t{1} << first % 64) - 1;
  std::fill(bitmap.begin() + first / 64 + 1, bitmap.end(), 0);
}
// As many as the bitmap has: there is none.
std::uint32_t first_clear(const Bitmap& bitmap) {
  const auto word =
      std::find_if(bitmap.begin(), bitmap.end(), [](auto bits) { return ~bits != 0; });
  if (word == bitmap.end()) return kCellsPerPage;
  return static_cast<std::uint32_t>((word - bitmap.begin()) * 64 + std::countr_one(*word));
}

}  // namespace

Units Cells::allocate(std::size_t bytes) {
  const std::uint8_t size_class = size_class_of(bytes);
  if (size_class == kRunClass) {
    const auto page = pages_.take_run(shard_, pages_for(bytes));
    return page ? pages_.units_of(*page, 0) : 0;
  }
  const Units units = has_room(size_class) ? allocate_in(size_class) : 0;
  if (units != 0) return units;
  return add_page(size_class) ? allocate_in(size_class) : 0;
}

Units Cells::allocate_larger(std::size_t bytes) {
  for (std::uint8_t larger = size_class_of(bytes); larger < kSizeClasses; ++larger) {
    if (has_room(larger)) return allocate_in(larger);
  }
  return 0;
}

// Lists that lead elsewhere have been written over.
Units Cells::allocate_in(std::uint8_t size_class) {
  if (!begins_with_room(size_class)) rebuild_lists();
  if (!begins_with_room(size_class)) return 0;
  const std::uint32_t page = with_room_[size_class] - 1;
  PageInfo& info = pages_.info(page);
  const std::uint32_t cell = first_clear(info.used);
  set(info.used, cell);
  if (++info.used_cells == cells_per_page(size_class)) unlink(page, size_class);
  return pages_.units_of(page, std::size_t{cell} * kCellBytes[size_class]);
}

bool Cells::begins_with_room(std::uint8_t size_class) const {
  const PageInfo* info = page_in_list(with_room_[size_class]);
  return info != nullptr && is_page_of(with_room_[size_class] - 1, size_class) &&
         first_clear(info->used) < cells_per_page(size_class);
}

bool Cells::add_page(std::uint8_t size_class) {
  const auto page =
      pages_.take({.kind = PageKind::kCells, .shard = shard_, .size_class = size_class});
  if (page) link(*page, size_class);
  return page.has_value();
}

void Cells::free(Units units) {
  const auto cell = cell_at(units);
  if (!cell) return;
  const PageUse use = pages_.use_of(cell->page);
  if (use.kind == PageKind::kRun) {
    pages_.give_back(cell->page, use.run_pages);
  } else {
    free_cell(*cell, use.size_class);
  }
}

void Cells::free_cell(const Cell& cell, std::uint8_t size_class) {
  PageInfo& info = pages_.info(cell.page);
  if (!is_set(info.used, cell.index)) return;
  clear(info.used, cell.index);
  if (info.used_cells-- == cells_per_page(size_class)) link(cell.page, size_class);
  if (info.used_cells > 0) return;
  unlink(cell.page, size_class);
  pages_.give_back(cell.page, 1);
}

std::optional<Cells::Cell> Cells::cell_at(Units units) const {
  const auto place = pages_.place_of(units);
  if (!place) return std::nullopt;
  const PageUse use = pages_.use_of(place->page);
  if (!is_mine(use) || use.kind == PageKind::kRunTail) return std::nullopt;
  if (use.kind == PageKind::kRun) {
    return place->byte == 0 ? std::optional(Cell{place->page, 0}) : std::nullopt;
  }
  if (!has_cells(use) || place->byte % kCellBytes[use.size_class] != 0) {
    return std::nullopt;
  }
  return Cell{place->page, place->byte / kCellBytes[use.size_class]};
}

std::size_t Cells::bytes_at(Units units) const {
  const auto cell = cell_at(units);
  return cell ? bytes_of(*cell) : 0;
}

std::size_t Cells::bytes_of(const Cell& cell) const {
  const PageUse use = pages_.use_of(cell.page);
  return use.kind == PageKind::kRun ? use.run_pages * kPageBytes : kCellBytes[use.size_class];
}

bool Cells::is_page_of(std::uint32_t page, std::uint8_t size_class) const {
  const PageUse use = pages_.use_of(page);
  if (!is_mine(use)) return false;
  return size_class == kRunClass ? use.kind == PageKind::kRun
                                 : use.kind == PageKind::kCells && use.size_class == size_class;
}

std::uint32_t Cells::room(std::uint8_t size_class, std::uint32_t most) const {
  std::uint32_t room = 0;
  const PageInfo* info = page_in_list(with_room_[size_class]);
  for (std::uint32_t pages = 0; info != nullptr && room < most && pages < most; ++pages) {
    room += cells_per_page(size_class) - info->used_cells;
    info = page_in_list(info->next);
  }
  return room;
}

std::uint32_t Cells::count_used(std::uint32_t page) const {
  const PageUse use = pages_.use_of(page);
  if (!is_mine(use) || use.kind == PageKind::kRunTail) return 0;
  return use.kind == PageKind::kRun ? 1 : pages_.info(page).used_cells;
}

void Cells::clear_marks() {
  for (std::uint32_t page = 0; page < pages_.count(); ++page) {
    if (is_mine(pages_.use_of(page))) pages_.info(page).marked.fill(0);
  }
}

std::size_t Cells::mark(Units units) {
  const auto cell = cell_at(units);
  if (!cell) return 0;
  set(pages_.info(cell->page).marked, cell->index);
  return bytes_of(*cell);
}

bool Cells::is_marked(Units units) const {
  const auto cell = cell_at(units);
  return cell && is_set(pages_.info(cell->page).marked, cell->index);
}

std::uint64_t Cells::free_unmarked() {
  std::uint64_t freed = 0;
  std::uint32_t run_end = 0;  // tails below it have a head that is in use
  for (std::uint32_t page = 0; page < pages_.count(); ++page) {
    const PageUse use = pages_.use_of(page);
    if (!is_mine(use)) continue;
    if (use.kind == PageKind::kCells) {
      freed += free_unmarked_cells(page);
    } else if (use.kind == PageKind::kRun && is_set(pages_.info(page).marked, 0)) {
      run_end = page + use.run_pages;
    } else if (page >= run_end) {
      freed += use.kind == PageKind::kRun ? 1 : 0;
      pages_.give_back(page, 1);
    }
  }
  rebuild_lists();
  return freed;
}

// The marks are the truth, whatever the bitmap says.
std::uint64_t Cells::free_unmarked_cells(std::uint32_t page) {
  PageInfo& info = pages_.info(page);
  const std::uint32_t before = count(info.used);
  info.used = info.marked;
  const std::uint32_t after = count(info.used);
  return before > after ? before - after : 0;
}

void Cells::rebuild_lists() {
  with_room_.fill(0);
  for (std::uint32_t page = 0; page < pages_.count(); ++page) {
    const PageUse use = pages_.use_of(page);
    if (!is_mine(use) || !has_cells(use)) continue;
    PageInfo& info = pages_.info(page);
    clear_from(info.used, cells_per_page(use.size_class));
    info.used_cells = count(info.used);
    if (info.used_cells == 0) {
      pages_.give_back(page, 1);
    } else if (info.used_cells < cells_per_page(use.size_class)) {
      link(page, use.size_class);
    }
  }
}

void Cells::link(std::uint32_t page, std::uint8_t size_class) {
  PageInfo& info = pages_.info(page);
  info.previous = 0;
  info.next = with_room_[size_class];
  if (PageInfo* next = page_in_list(info.next)) next->previous = page + 1;
  with_room_[size_class] = page + 1;
}

void Cells::unlink(std::uint32_t page, std::uint8_t size_class) {
  const PageInfo& info = pages_.info(page);
  if (PageInfo* next = page_in_list(info.next)) next->previous = info.previous;
  if (PageInfo* previous = page_in_list(info.previous)) {
    previous->next = info.next;
  } else {
    with_room_[size_class] = info.next;
  }
}

std::uint64_t Cells::count_used() const {
  std::uint64_t used = 0;
  for (std::uint32_t page = 0; page < pages_.count(); ++page) {
    const PageUse use = pages_.use_of(page);
    if (!is_mine(use)) continue;
    if (use.kind == PageKind::kCells) used += count(pages_.info(page).used);
    if (use.kind == PageKind::kRun) ++used;
  }
  return used;
}

}  // namespace kvs

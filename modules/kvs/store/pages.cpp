#include "modules/kvs/store/pages.h"

#include <algorithm>

namespace kvs {
namespace {

// run_pages 32 | size_class 8 | shard 8 | kind 8.
std::uint64_t pack(const PageUse& use) {
  return std::uint64_t{use.run_pages} << 32 | std::uint64_t{use.size_class} << 16 |
         std::uint64_t{use.shard} << 8 | static_cast<std::uint64_t>(use.kind);
}

PageUse unpack(std::uint64_t word) {
  return {.kind = static_cast<PageKind>(word & 0xff),
          .shard = static_cast<std::uint8_t>(word >> 8),
          .size_class = static_cast<std::uint8_t>(word >> 16),
          .run_pages = static_cast<std::uint32_t>(word >> 32)};
}

}  // namespace

std::optional<std::uint32_t> PageMap::take(const PageUse& use) {
  const std::uint64_t given_back = counters_.given_back.load(std::memory_order_acquire);
  if (given_back == none_free_at_) return std::nullopt;
  for (std::uint32_t page = 0; page < count(); ++page) {
    if (take_page(page, use)) return page;
  }
  none_free_at_ = given_back;
  return std::nullopt;
}

bool PageMap::is_full() {
  const std::uint64_t given_back = counters_.given_back.load(std::memory_order_acquire);
  if (given_back == none_free_at_) return true;
  const bool has_free = std::any_of(owners_.begin(), owners_.end(), [](const PageOwner& owner) {
    return owner.word.load(std::memory_order_relaxed) == 0;
  });
  if (!has_free) none_free_at_ = given_back;
  return !has_free;
}

// Downwards: `page` is the lowest page of the run that is hoped for.
std::optional<std::uint32_t> PageMap::take_run(std::uint8_t shard, std::uint32_t pages) {
  std::uint32_t free_pages = 0;
  for (std::uint32_t page = count(); page-- > 0;) {
    const bool is_free = owners_[page].word.load(std::memory_order_relaxed) == 0;
    free_pages = is_free ? free_pages + 1 : 0;
    if (free_pages < pages) continue;
    if (take_run_at(page, pages, shard)) return page;
    free_pages = 0;
  }
  return std::nullopt;
}

// The first page says that it is a run only when all the others are there: one that was begun by
// who died has tails without a head, which belong to nobody.
bool PageMap::take_run_at(std::uint32_t first, std::uint32_t pages, std::uint8_t shard) {
  const PageUse tail{.kind = PageKind::kRunTail, .shard = shard};
  for (std::uint32_t i = pages; i-- > 0;) {
    const PageUse head{.kind = PageKind::kRun, .shard = shard, .run_pages = pages};
    if (take_page(first + i, i == 0 ? head : tail)) continue;
    give_back(first + i + 1, pages - i - 1);
    return false;
  }
  return true;
}

// Acquire, with the release of give_back(): what its former shard knew about it is over.
bool PageMap::take_page(std::uint32_t page, const PageUse& use) {
  std::uint64_t free = 0;
  auto& word = owners_[page].word;
  if (word.load(std::memory_order_relaxed) != 0 ||
      !word.compare_exchange_strong(free, pack(use), std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
    return false;
  }
  infos_[page] = PageInfo{};
  return true;
}

// From the first on: the rest of a run that is given back by who dies has no head.
void PageMap::give_back(std::uint32_t page, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    owners_[page + i].word.store(0, std::memory_order_release);
  }
  if (count > 0) counters_.given_back.fetch_add(1, std::memory_order_release);
}

PageUse PageMap::use_of(std::uint32_t page) const {
  return unpack(owners_[page].word.load(std::memory_order_relaxed));
}

std::optional<PageMap::Place> PageMap::place_of(Units units) const {
  const std::uint64_t byte = units * kUnitBytes;
  if (byte < first_page_byte_ || (byte - first_page_byte_) / kPageBytes >= count()) {
    return std::nullopt;
  }
  const std::uint64_t distance = byte - first_page_byte_;
  return Place{static_cast<std::uint32_t>(distance / kPageBytes),
               static_cast<std::uint32_t>(distance % kPageBytes)};
}

}  // namespace kvs

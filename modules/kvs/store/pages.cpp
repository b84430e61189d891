#include "modules/kvs/store/pages.h"

#include <algorithm>

namespace kvs {
namespace {

// A hint: how often pages were given back 32 | how many are not free 32.
std::uint32_t taken_in(std::uint64_t hint) { return static_cast<std::uint32_t>(hint); }
std::uint64_t given_back_in(std::uint64_t hint) { return hint >> 32; }

// Whoever has given back a page meanwhile, or has looked further, knows better. Relaxed: it says
// nothing of what it has read.
void raise(std::atomic<std::uint64_t>& word, std::uint64_t hint, std::uint32_t taken) {
  if (taken == taken_in(hint)) return;
  const std::uint64_t raised = given_back_in(hint) << 32 | taken;
  word.compare_exchange_strong(hint, raised, std::memory_order_relaxed);
}

// Release: who looks from there on, sees the page free.
void lower(std::atomic<std::uint64_t>& word, std::uint32_t taken) {
  std::uint64_t hint = word.load(std::memory_order_relaxed);
  const auto lowered = [&] {
    return (given_back_in(hint) + 1) << 32 | std::min(taken_in(hint), taken);
  };
  while (!word.compare_exchange_weak(hint, lowered(), std::memory_order_release,
                                     std::memory_order_relaxed)) {
  }
}

}  // namespace

std::optional<std::uint32_t> PageMap::take(const PageUse& use) {
  for (;;) {
    const std::uint32_t page = first_free();
    if (page == count()) return std::nullopt;
    if (take_page(page, use)) return page;
  }
}

std::uint32_t PageMap::first_free() {
  const std::uint64_t hint = hints_.from_bottom.load(std::memory_order_acquire);
  std::uint32_t page = std::min(taken_in(hint), count());
  while (page < count() && !is_free(page)) ++page;
  raise(hints_.from_bottom, hint, page);
  return page;
}

std::uint32_t PageMap::taken_at_top() {
  const std::uint64_t hint = hints_.from_top.load(std::memory_order_acquire);
  std::uint32_t taken = std::min(taken_in(hint), count());
  while (taken < count() && !is_free(count() - 1 - taken)) ++taken;
  raise(hints_.from_top, hint, taken);
  return taken;
}

void PageMap::tell_of(std::uint32_t first, std::uint32_t last) {
  lower(hints_.from_bottom, first);
  lower(hints_.from_top, count() - 1 - last);
}

// As long as no page is given back, what was not found is not there. Who finds one, and loses a
// page of it to another, looks again: others may have left him enough.
std::optional<std::uint32_t> PageMap::take_run(std::uint8_t shard, std::uint32_t pages) {
  constexpr int kTries = 8;
  const std::uint64_t given_back = given_back_in(hints_.from_top.load(std::memory_order_acquire));
  if (given_back == no_run_at_ && pages >= no_run_of_) return std::nullopt;
  for (int i = 0; i < kTries; ++i) {
    const auto first = find_run(pages);
    if (!first) {
      no_run_at_ = given_back;
      no_run_of_ = pages;
      return std::nullopt;
    }
    if (take_run_at(*first, pages, shard)) return first;
  }
  return std::nullopt;
}

// Downwards: `page` is the lowest page of the run that is hoped for.
std::optional<std::uint32_t> PageMap::find_run(std::uint32_t pages) {
  std::uint32_t free_pages = 0;
  for (std::uint32_t page = count() - taken_at_top(); page-- > 0;) {
    free_pages = is_free(page) ? free_pages + 1 : 0;
    if (free_pages == pages) return page;
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
  count = std::min(count, this->count() - page);
  for (std::uint32_t i = 0; i < count; ++i) {
    owners_[page + i].word.store(0, std::memory_order_release);
  }
  if (count > 0) tell_of(page, page + count - 1);
}

}  // namespace kvs

#include "modules/kvs/store/eviction.h"

#include <algorithm>

namespace kvs {
namespace {

constexpr std::uint32_t kMostItemsEvicted = 16;   // at a time
constexpr std::uint32_t kMostItemsOfAPage = 128;  // the same, when a page is to become empty
constexpr std::uint32_t kMostWaiting = 64;  // to evict more while readers stand still helps nobody
constexpr std::uint32_t kMostPagesSeen = 64;        // whose counts are looked at, at a time
constexpr std::uint32_t kMostCellsSeen = 1'024;     // and then the rest of the page
constexpr std::uint32_t kMostPagesPassed = 16'384;  // a gigabyte; the next time it goes on there

}  // namespace

bool Clock::make_room(std::size_t bytes) {
  if (shard_.waiting() >= kMostWaiting) return false;
  const std::uint8_t size_class = size_class_of(bytes);
  // Large ones: as many pages as are wanted, and twice as many each time again, for they lie apart.
  const std::uint32_t most_pages = pages_for(bytes) << rounds_++;
  // Twice around at most: the first time spares what was read.
  if (evict_cold(size_class, most_pages) > 0 || evict_cold(size_class, most_pages) > 0) {
    return false;
  }
  if (pages_for(bytes) > 1) return false;
  const std::uint32_t evicted = evict_page();
  if (evicted > 0 || shard_.waiting() > 0) return evicted >= kMostItemsOfAPage;
  return make_room_elsewhere();
}

// Its page is free for all when that shard has reclaimed what was in it.
bool Clock::make_room_elsewhere() {
  const auto index = next_other();
  if (!index) return false;
  LockedShard other(shard_.mapping(), *index, 1);
  if (!other) return true;
  const bool is_worth_it = other.waiting() < kMostWaiting;
  const std::uint32_t evicted = is_worth_it ? Clock(other, hash_, {}).evict_page() : 0;
  other.reclaim();
  if (is_worth_it && evicted == 0) ++shard_.shard().clock_page;  // it has none either
  return evicted >= kMostItemsOfAPage || other.waiting() > 0;
}

// The hand stops before a page of that shard, with which the next round goes on.
std::optional<std::uint32_t> Clock::next_other() {
  const Mapping& mapping = shard_.mapping();
  std::uint32_t& hand = shard_.shard().clock_page;
  const std::uint32_t most = std::min(mapping.pages.count(), kMostPagesPassed);
  for (std::uint32_t i = 0; i < most; ++i) {
    const std::uint32_t next = (hand + 1) % mapping.pages.count();
    const PageUse use = mapping.pages.use_of(next);
    const bool is_others = use.kind != PageKind::kFree && use.shard != shard_.index();
    if (is_others && use.shard < mapping.shards.size()) return use.shard;
    hand = next;
  }
  return std::nullopt;
}

// What has retired counts as room: it comes back.
void Clock::make_room_ahead(std::size_t bytes) {
  const std::uint8_t size_class = size_class_of(bytes);
  if (size_class == kRunClass || !shard_.mapping().pages.is_full()) return;
  const std::uint32_t wanted = std::min(kMostItemsEvicted, cells_per_page(size_class));
  if (shard_.waiting() >= wanted) return;
  if (shard_.cells().room(size_class, wanted) < wanted) evict_cold(size_class, 1);
}

bool Clock::make_slot(std::uint64_t hash) {
  return evict_from_chain(hash, true) || evict_from_chain(hash, false);
}

// From page to page of that size, beginning where it last ended. So many pages, if of runs.
std::uint32_t Clock::evict_cold(std::uint8_t size_class, std::uint32_t most_pages) {
  const PageMap& pages = shard_.mapping().pages;
  std::uint32_t& hand = shard_.shard().clock_page;
  std::uint32_t evicted = 0;
  std::uint32_t evicted_pages = 0;
  std::uint32_t looked_at = 0;
  const std::uint32_t most = std::min(pages.count(), kMostPagesPassed);
  for (std::uint32_t i = 0; i < most && looked_at < kMostCellsSeen; ++i) {
    if (evicted >= kMostItemsEvicted || evicted_pages >= most_pages) break;
    hand = (hand + 1) % pages.count();
    if (!shard_.cells().is_page_of(hand, size_class)) continue;
    looked_at += shard_.cells().count_used(hand);
    const std::uint32_t run_pages = pages.use_of(hand).run_pages;
    const std::uint32_t more = evict_from(hand, true, kMostItemsEvicted - evicted);
    evicted += more;
    evicted_pages += more * run_pages;
  }
  return evicted;
}

// What is in a page may be no item: then the next one with items will do, until it is empty.
std::uint32_t Clock::evict_page() {
  const PageMap& pages = shard_.mapping().pages;
  std::uint32_t& hand = shard_.shard().clock_page;
  std::uint32_t evicted = evict_from(emptiest_page(), false, kMostItemsOfAPage);
  const std::uint32_t most = std::min(pages.count(), kMostPagesPassed);
  for (std::uint32_t i = 0; i < most && evicted == 0; ++i) {
    const std::uint32_t page = (hand + 1) % pages.count();
    evicted = evict_from(page, false, kMostItemsOfAPage);
    if (evicted < kMostItemsOfAPage) hand = page;
  }
  return evicted;
}

// Of the next ones of this shard; any page if there is none.
std::uint32_t Clock::emptiest_page() {
  const PageMap& pages = shard_.mapping().pages;
  std::uint32_t emptiest = 0;
  std::uint32_t fewest = ~std::uint32_t{0};
  std::uint32_t looked_at = 0;
  const std::uint32_t most = std::min(pages.count(), kMostPagesPassed);
  for (std::uint32_t i = 1; i <= most && looked_at < kMostPagesSeen; ++i) {
    const std::uint32_t page = (shard_.shard().clock_page + i) % pages.count();
    const std::uint32_t used = items_in(page);
    if (used == 0) continue;
    ++looked_at;
    if (used < fewest) emptiest = page;
    fewest = std::min(fewest, used);
  }
  return emptiest;
}

// A run that was read counts as a page full of small ones: it may be of any length.
std::uint32_t Clock::items_in(std::uint32_t page) const {
  if (!shard_.cells().is_page_of(page, kRunClass)) return shard_.cells().count_used(page);
  const PageMap& pages = shard_.mapping().pages;
  const Record* record = record_at(shard_.mapping().memory, pages.units_of(page, 0));
  const bool was_read = record != nullptr && record->accesses.load(std::memory_order_relaxed) != 0;
  return was_read ? kCellsPerPage : 1;
}

std::uint32_t Clock::evict_from(std::uint32_t page, bool spares_used, std::uint32_t most) {
  std::uint32_t evicted = 0;
  shard_.cells().visit_used(page, [&](Units units) {
    if (evicted < most && evict(units, spares_used)) ++evicted;
  });
  return evicted;
}

// Not so what is no record; nor in a page that has been given back since it was looked at, for a
// removal may reclaim cells, and another shard may have the page by now: there is no cell then.
bool Clock::lies_in_cell(const Record& record, Units units) {
  return record.key_bytes > 0 && record.bytes() <= shard_.cells().bytes_at(units);
}

// What lies in a cell may be no record, or one that is in no slot: only a slot that names the cell
// says that it is an item.
bool Clock::evict(Units units, bool spares_used) {
  Record* record = record_at(shard_.mapping().memory, units);
  if (record == nullptr || !lies_in_cell(*record, units) || record->key() == key_) return false;
  const std::uint64_t hash = hash_.of(record->key());
  if (shard_.mapping().shard_of(hash) != shard_.index()) return false;  // its slot is another's
  const Found found = shard_.find(hash, record->key());
  if (found.record != record || !evict(found, spares_used)) return false;
  shard_.shorten_chain(shard_.mapping().bucket_of(hash));
  return true;
}

// The chain stays as long as it is: the slot is wanted.
bool Clock::evict_from_chain(std::uint64_t hash, bool spares_used) {
  bool is_done = false;
  Mapping& mapping = shard_.mapping();
  visit_chain(mapping.memory, &mapping.bucket_of(hash), [&](auto& slot, SlotWord word) {
    Record* record = record_at(mapping.memory, units_of(word));
    is_done = record != nullptr && evict({&slot, word, record}, spares_used);
    return is_done;
  });
  return is_done;
}

bool Clock::evict(const Found& found, bool spares_used) {
  if (spares_used && found.record->accesses.exchange(0, std::memory_order_relaxed) != 0)
    return false;
  shard_.remove(found);
  add(shard_.shard().counters.evicted, 1);
  return true;
}

}  // namespace kvs

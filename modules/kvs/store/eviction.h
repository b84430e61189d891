// Making room in a full shard: the clock. A hand goes over the shard's cells of the wanted size;
// what was read since it last came by stays, the rest goes. So what is written and never read goes
// first, and a scan of everything does not drive out what is in use.
//
// A cell that was evicted can be used when every reader has gone on. So some are evicted ahead,
// when the last cell of a size has just been taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "modules/kvs/store/hash.h"
#include "modules/kvs/store/shard.h"

namespace kvs {

class Clock {
 public:
  // The item of the key for which room is made stays: the write may be refused after all.
  Clock(LockedShard& shard, const RollingHash& hash, std::string_view key)
      : shard_(shard), hash_(hash), key_(key) {}

  // Evicts what would make room for so many bytes: some items of that size, of large ones as many
  // as have its pages, or those of a page of others if the shard has none, or of another shard if
  // it has nothing at all. What takes several pages in a row makes room among its like only. True:
  // a page has been begun, and has more items than may go at a time, or waits for readers.
  bool make_room(std::size_t bytes);
  // The same ahead of need, when there is little room left.
  void make_room_ahead(std::size_t bytes);
  // Frees a slot for such a hash, at once: one item of its chain goes. False: there is none.
  bool make_slot(std::uint64_t hash);

 private:
  // Both: how many items.
  std::uint32_t evict_cold(std::uint8_t size_class, std::uint32_t most_pages);
  std::uint32_t evict_page();
  // In another shard, for one that has no item. True: there is more to come.
  bool make_room_elsewhere();
  std::optional<std::uint32_t> next_other();
  [[nodiscard]] std::uint32_t emptiest_page();
  [[nodiscard]] std::uint32_t items_in(std::uint32_t page) const;
  std::uint32_t evict_from(std::uint32_t page, bool spares_used, std::uint32_t most);
  [[nodiscard]] bool lies_in_cell(const Record& record, Units units);
  bool evict(Units units, bool spares_used);
  bool evict_from_chain(std::uint64_t hash, bool spares_used);
  bool evict(const Found& found, bool spares_used);

  LockedShard& shard_;
  const RollingHash& hash_;
  std::string_view key_;
  std::uint32_t rounds_ = 0;  // of make_room()
};

}  // namespace kvs

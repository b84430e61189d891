// What a store can say about itself; added up without locks, so not of one moment.
#pragma once

#include <cstdint>

#include "modules/kvs/store/store.h"

namespace kvs {

struct Statistics {
  std::uint64_t items = 0;
  std::uint64_t cell_bytes = 0;  // that they take, with all that belongs to one
  std::uint64_t expired = 0;     // removed by a sweep
  std::uint64_t evicted = 0;
  std::uint64_t repairs = 0;      // of shards whose holder had died
  std::uint64_t collections = 0;  // of cells that nobody had a note of
  std::uint64_t retired = 0;      // cells that wait for readers
  std::uint64_t pages = 0;        // of 64 KiB
  std::uint64_t free_pages = 0;
  std::uint64_t readers = 0;  // that are in a batch now
};

// Looks at each page: some microseconds for a gigabyte.
[[nodiscard]] Statistics statistics(Store& store);

}  // namespace kvs

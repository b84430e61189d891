// Work that grows with the data, cut into slices: each looks at some buckets and says where to go
// on, so that whoever calls decides how long a turn is. A bucket takes some hundred nanoseconds.
//
// A cursor is a bucket's number, and good for the life of the store: buckets never move. 0 is the
// beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "modules/kvs/store/store.h"

namespace kvs {

struct Slice {
  std::uint64_t cursor = 0;  // of the next one
  std::uint64_t items = 0;   // visited, or removed
  bool is_last = false;      // there is no next one
  bool is_busy = false;      // it ended early: somebody else has the shard; try again
  // As many cells wait for readers as a shard should note: before the next slice, end_batch().
  bool must_end_batch = false;
};

// How much a slice may do. It ends with the bucket in which the first of them is reached. One that
// removes also ends when the batch must: what was removed in a batch waits for its end.
struct SliceLimits {
  std::uint32_t buckets = 1024;
  std::uint32_t items = 1024;
};

// Calls visit for each item whose key begins with `prefix`. Takes no lock. Over all slices an item
// that is there from the first to the last is visited once, whatever others write; one that comes
// or goes meanwhile may be. Items are good until end_batch().
Slice scan(Store& store, std::string_view prefix, std::uint64_t cursor, const SliceLimits& limits,
           const std::function<void(const Item&)>& visit);

// Removes what begins with `prefix`; the empty one is all there is. Not one moment: what others
// store meanwhile may stay.
Slice remove_prefix(Store& store, std::string_view prefix, std::uint64_t cursor,
                    const SliceLimits& limits);
// Removes what has expired: nobody sees it any more, but it takes room.
Slice remove_expired(Store& store, std::uint64_t cursor, const SliceLimits& limits);

// By shard: repairs one whose holder has died, though nobody writes to it, and reclaims what waits
// there. False: busy. Somebody must call it for each shard every few seconds, in a batch of its own
// (after end_batch()): a worker by its timer, any number of them. Without it nothing breaks, but
// what was overwritten, or held by who died, stays in use until somebody writes to that shard.
bool tend(Store& store, std::uint32_t shard);

}  // namespace kvs

// What somebody must do now and then for a store, whoever uses it: remove what has expired, put
// right a shard whose holder died and that nobody writes to, give back what waits. One worker does
// it, over all generations: the one that has the lease.
#pragma once

#include <chrono>
#include <cstdint>

#include "modules/kvs/store/statistics.h"
#include "modules/kvs/zone_store.h"

namespace kvs {

class Maintenance {
 public:
  static constexpr std::chrono::milliseconds kEvery{100};

  explicit Maintenance(ZoneStore& store) : zone_(store.zone()), store_(store.store()) {}

  // Some of it, for about a millisecond; nothing while another does it. To be called kEvery.
  void tick();
  [[nodiscard]] bool is_mine() const { return is_mine_; }

 private:
  void sweep();
  [[nodiscard]] std::uint64_t next_shard(std::uint64_t cursor) const;
  void tend_some();

  const drover::ZoneMemory& zone_;
  Store& store_;
  bool is_mine_ = false;
  std::uint64_t cursor_ = 0;  // of the sweep
  std::uint32_t shard_ = 0;   // to be tended next
};

}  // namespace kvs

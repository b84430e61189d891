// A large value is copied to where it will stay while others have the shard. Its cell is held in
// the process's reader slot: if the process dies it is garbage like any other.
#include "modules/kvs/store/store.h"

namespace kvs {

Store::Reserved Store::reserve(std::string_view key, std::size_t value_bytes) {
  if (key.empty() || key.size() > kLongestKey || value_bytes > kLargestValue) {
    return {Answer::kTooLarge, {}};
  }
  const auto hold = free_hold(kPinsPerReader, kReservationsPerReader);
  if (!hold) return {Answer::kTooManyReserved, {}};
  LockedShard shard(mapping_, mapping_.shard_of(hash_.of(key)));
  if (!shard) return {Answer::kBusy, {}};
  const Sizes sizes{value_bytes, true};
  const auto [units, refusal] =
      allocate(shard, key, Record::bytes_for(key.size(), value_bytes, sizes.has_extras));
  if (units == 0) return {refusal, {}};
  // Under the lock, so that no collection of garbage comes between.
  slot_->holds[*hold].store(reserved(units), std::memory_order_release);
  Record& record = fill(shard, units, {.key = key}, sizes);
  return {Answer::kOk, {{record.value_begin(), value_bytes}, *hold, units}};
}

Written Store::commit(const Reservation& reservation, const Write& write) {
  const Target target = this->target(write.key);
  LockedShard shard(mapping_, mapping_.shard_of(target.hash));
  if (!shard) return {Answer::kBusy};
  Written written{check(write, shard.find(target.hash, write.key))};
  if (written.answer == Answer::kOk) {
    fill(shard, reservation.units, write, {reservation.value.size(), true});
    written = publish(shard, target, reservation.units);
  }
  if (written.answer == Answer::kBusy) return written;
  if (written.answer != Answer::kOk) shard.free(reservation.units);
  // Last, and still under the lock: who collects garbage finds it published, freed or held.
  clear_hold(reservation.hold);
  return written;
}

// When the shard is busy the cell stays held, and the ends of batches try again.
void Store::cancel(const Reservation& reservation) {
  if (!try_cancel(reservation)) cancelled_.push_back(reservation);
}

bool Store::try_cancel(const Reservation& reservation) {
  const auto place = mapping_.pages.place_of(reservation.units);
  std::uint32_t index = place ? mapping_.pages.use_of(place->page).shard : 0;
  if (index >= mapping_.shards.size()) index = 0;  // of a page that was written over
  LockedShard shard(mapping_, index);
  if (!shard) return false;
  shard.free(reservation.units);
  clear_hold(reservation.hold);
  return true;
}

}  // namespace kvs

// Requests that change the store. Each makes a new record in a cell of its own, and publishes it by
// one word; the old one stays as it is until then, and for good if anything is refused.
#include <charconv>
#include <cstring>
#include <string>

#include "modules/kvs/store/eviction.h"
#include "modules/kvs/store/store.h"

namespace kvs {
namespace {

// Rounds of them for one write, before it is refused: readers may be stopped.
constexpr int kEvictions = 4;

// From here on a copy takes longer than somebody else tries for the lock.
constexpr std::size_t kLargeValue = std::size_t{64} << 10;

bool fits(std::string_view key, std::size_t value_bytes) {
  return !key.empty() && key.size() <= kLongestKey && value_bytes <= kLargestValue;
}

void copy(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

std::string joined(std::string_view first, std::string_view second, std::string_view third) {
  std::string all;
  all.reserve(first.size() + second.size() + third.size());
  return std::move(all.append(first).append(second).append(third));
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Store::Target Store::target(std::string_view key, std::optional<std::uint64_t> key_hash) const {
  const std::size_t slash = key.rfind('/');
  const std::size_t directory = slash == std::string_view::npos ? 0 : slash + 1;
  return {.key = key,
          .hash = key_hash ? *key_hash : hash_.of(key),
          .directory_hash = hash_.of(key.substr(0, directory)),
          .tail = key.size() - directory};
}

Store::Room Store::allocate(LockedShard& shard, std::string_view key, std::size_t bytes) {
  Units units = shard.allocate(bytes);
  bool is_more_to_come = false;
  if (settings_.eviction == Eviction::kClock) {
    Clock clock(shard, hash_, key);
    for (int i = 0; i < kEvictions && units == 0; ++i) {
      is_more_to_come |= clock.make_room(bytes);
      units = shard.allocate(bytes);
    }
    if (units != 0) clock.make_room_ahead(bytes);
  }
  if (units == 0) units = shard.allocate_last_resort(bytes);
  if (units != 0) return {units, Answer::kOk};
  return {0, is_more_to_come ? Answer::kBusy : no_room(shard)};
}

Answer Store::no_room(LockedShard& shard) const {
  const bool is_worth_a_try = shard.waits_for_readers() || is_room_kept_by_this_batch();
  return is_worth_a_try ? Answer::kBusy : Answer::kNoSpace;
}

// In other shards, that is. How much it is does not matter: it is asked for once, for the next
// batch is of a later epoch than that of any other reader who may be in the way then.
bool Store::is_room_kept_by_this_batch() const {
  if (!is_reading_ || !mapping_.readers.is_oldest(*slot_)) return false;
  for (std::uint32_t shard = 0; shard < mapping_.shards.size(); ++shard) {
    if (LockedShard::has_waste(mapping_, shard)) return true;
  }
  return false;
}

Answer Store::check(const Write& write, const Found& found) const {
  const bool is_there = is_live(found);
  if (write.condition == Condition::kIfAbsent && is_there) return Answer::kNotStored;
  if (write.condition == Condition::kIfPresent && !is_there) return Answer::kNotStored;
  if (write.cas == 0) return Answer::kOk;
  if (!is_there) return Answer::kNotFound;
  return found.record->cas == write.cas ? Answer::kOk : Answer::kExists;
}

Record& Store::fill(LockedShard& shard, Units units, const Write& write, const Sizes& sizes) {
  auto& record = *reinterpret_cast<Record*>(mapping_.memory.at(units, sizeof(Record)));
  record.cas = shard.next_cas();
  record.value_bytes = static_cast<std::uint32_t>(sizes.value);
  record.key_bytes = static_cast<std::uint16_t>(write.key.size());
  record.extra_bytes = sizes.has_extras ? Record::kExtras : 0;
  record.accesses.store(0, std::memory_order_relaxed);
  if (sizes.has_extras) {
    record.extras().expires_ms = write.expires_ms;
    record.extras().flags = write.flags;
  }
  copy(record.key_begin(), write.key);
  return record;
}

Written Store::publish(LockedShard& shard, const Target& target, Units units) {
  const std::uint64_t cas = record_at(mapping_.memory, units)->cas;
  // Before the key is there, and never taken back.
  mapping_.markers_of(target.directory_hash).set(target.directory_hash, tail_bit(target.tail));
  const Found found = shard.find(target.hash, target.key);
  if (shard.publish(found, target.hash, units, now_ms_)) return {Answer::kOk, cas};
  const bool has_slot = settings_.eviction == Eviction::kClock &&
                        Clock(shard, hash_, target.key).make_slot(target.hash);
  if (has_slot && shard.publish(found, target.hash, units, now_ms_)) return {Answer::kOk, cas};
  return {no_room(shard)};
}

Written Store::write(const Write& write) {
  if (!fits(write.key, write.value.size())) return {Answer::kTooLarge};
  if (is_copied_unlocked(write.value.size())) return write_large(write);
  const Target target = this->target(write.key, write.key_hash);
  LockedShard shard(mapping_, mapping_.shard_of(target.hash));
  if (!shard) return {Answer::kBusy};
  const Answer answer = check(write, shard.find(target.hash, write.key));
  return answer == Answer::kOk ? put(shard, target, write) : Written{answer};
}

bool Store::is_copied_unlocked(std::size_t value_bytes) const {
  return value_bytes >= kLargeValue && free_hold(kPinsPerReader, kReservationsPerReader);
}

Written Store::write_large(const Write& write) {
  const auto [answer, reservation] = reserve(write.key, write.value.size());
  if (answer != Answer::kOk) return {answer};
  copy(reservation.value.data(), write.value);
  const Written written = commit(reservation, write);
  if (written.answer == Answer::kBusy) cancel(reservation);
  return written;
}

Written Store::replace_large(const Item& seen, std::string_view value, std::uint64_t expires_ms) {
  const Written written = write_large({.key = seen.key,
                                       .value = value,
                                       .flags = seen.flags,
                                       .expires_ms = expires_ms,
                                       .cas = seen.cas});
  const bool has_changed = written.answer == Answer::kExists || written.answer == Answer::kNotFound;
  return has_changed ? Written{Answer::kBusy} : written;
}

Answer Store::erase(std::string_view key) {
  const std::uint64_t hash = hash_.of(key);
  LockedShard shard(mapping_, mapping_.shard_of(hash));
  if (!shard) return Answer::kBusy;
  const Found found = shard.find(hash, key);
  if (found.record == nullptr) return Answer::kNotFound;
  const bool was_live = is_live(found);
  shard.remove(found);
  shard.shorten_chain(mapping_.bucket_of(hash));
  return was_live ? Answer::kOk : Answer::kNotFound;
}

Written Store::put(LockedShard& shard, const Target& target, const Write& write) {
  if (!fits(write.key, write.value.size())) return {Answer::kTooLarge};
  const Sizes sizes{write.value.size(), write.expires_ms != 0 || write.flags != 0};
  const auto [units, refusal] = allocate(
      shard, write.key, Record::bytes_for(write.key.size(), sizes.value, sizes.has_extras));
  if (units == 0) return {refusal};
  copy(fill(shard, units, write, sizes).value_begin(), write.value);
  const Written written = publish(shard, target, units);
  if (written.answer != Answer::kOk) shard.free(units);
  return written;
}

Sum Store::add(std::string_view key, std::int64_t delta, std::optional<std::int64_t> initial) {
  const Target target = this->target(key);
  LockedShard shard(mapping_, mapping_.shard_of(target.hash));
  if (!shard) return {Answer::kBusy};
  const Found found = shard.find(target.hash, key);
  Write write{.key = key};
  auto sum = initial;
  if (is_live(found)) {
    sum = number_in(found.record->value());
    if (!sum || __builtin_add_overflow(*sum, delta, &*sum)) return {Answer::kNotANumber};
    write.flags = found.record->flags();
    write.expires_ms = found.record->expires_ms();
  }
  if (!sum) return {Answer::kNotFound};
  const std::string text = std::to_string(*sum);
  write.value = text;
  return {put(shard, target, write).answer, *sum};
}

Written Store::append(std::string_view key, std::string_view bytes) {
  return extend(key, {}, bytes);
}
Written Store::prepend(std::string_view key, std::string_view bytes) {
  return extend(key, bytes, {});
}

// A copy of the old value first: making room for the new one may free it.
Written Store::extend(std::string_view key, std::string_view before, std::string_view after) {
  const std::size_t more = before.size() + after.size();
  {
    const Target target = this->target(key);
    LockedShard shard(mapping_, mapping_.shard_of(target.hash));
    if (!shard) return {Answer::kBusy};
    const Found found = shard.find(target.hash, key);
    if (!is_live(found)) return {Answer::kNotStored};
    const Item seen = item_of(*found.record);
    if (more > kLargestValue - seen.value.size()) return {Answer::kTooLarge};
    if (!is_copied_unlocked(seen.value.size() + more)) {
      const std::string value = joined(before, seen.value, after);
      return put(shard, target,
                 {.key = key, .value = value, .flags = seen.flags, .expires_ms = seen.expires_ms});
    }
  }
  const auto seen = get(key);
  if (!seen || more > kLargestValue - seen->value.size()) return {Answer::kBusy};
  return replace_large(*seen, joined(before, seen->value, after), seen->expires_ms);
}

Written Store::touch(std::string_view key, std::uint64_t expires_ms) {
  {
    const Target target = this->target(key);
    LockedShard shard(mapping_, mapping_.shard_of(target.hash));
    if (!shard) return {Answer::kBusy};
    const Found found = shard.find(target.hash, key);
    if (!is_live(found)) return {Answer::kNotFound};
    const Item seen = item_of(*found.record);
    if (!is_copied_unlocked(seen.value.size())) {
      const std::string value(seen.value);
      return put(shard, target,
                 {.key = key, .value = value, .flags = seen.flags, .expires_ms = expires_ms});
    }
  }
  const auto seen = get(key);
  return seen ? replace_large(*seen, seen->value, expires_ms) : Written{Answer::kBusy};
}

}  // namespace kvs

#include "modules/kvs/store/store.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

namespace kvs {
namespace {

bool fill_with_random(HashSecret& secret) {
  return getrandom(&secret, sizeof secret, 0) == static_cast<ssize_t>(sizeof secret);
}

// No key is longer. But where a segment is cut, its part is none.
std::string_view searchable(std::string_view path, Match match) {
  if (path.size() <= kLongestKey) return path;
  const bool is_cut = match == Match::kSegment && path[kLongestKey] != '/';
  path = path.substr(0, kLongestKey);
  return is_cut ? path.substr(0, path.rfind('/') + 1) : path;
}

// Zeroes are right for everything else.
bool initialise(Mapping& mapping) {
  mapping.globals.epoch.store(1, std::memory_order_relaxed);  // 0: not reading
  const auto init_shard = [](Shard& shard) { return shard.mutex.initialise(); };
  const auto init_reader = [](ReaderSlot& slot) { return slot.life.initialise(); };
  return std::all_of(mapping.shards.begin(), mapping.shards.end(), init_shard) &&
         std::all_of(mapping.reader_slots.begin(), mapping.reader_slots.end(), init_reader);
}

}  // namespace

const char* to_string(Answer answer) {
  switch (answer) {
    case Answer::kOk:
      return "ok";
    case Answer::kNotFound:
      return "not found";
    case Answer::kExists:
      return "changed by another";
    case Answer::kNotStored:
      return "not stored";
    case Answer::kNoSpace:
      return "no space";
    case Answer::kBusy:
      return "busy";
    case Answer::kNotANumber:
      return "not a number";
    case Answer::kTooLarge:
      return "too large";
    case Answer::kTooCostly:
      return "too costly";
    case Answer::kTooManyReserved:
      return "too many reservations";
  }
  return "?";
}

Item item_of(Record& record) {
  return {record.key(), record.value(), record.flags(), record.cas, record.expires_ms()};
}

Attached Store::create(std::span<std::byte> memory, const Options& options) {
  if (!is_valid(options)) return Attached::kBadOptions;
  const auto counts = counts_for(memory.size(), options);
  if (!counts) return Attached::kTooSmall;
  Plan plan{layout_of(*counts), options.secret.value_or(HashSecret{})};
  if (!options.secret && !fill_with_random(plan.secret)) return Attached::kFailed;
  Mapping mapping(memory, plan);
  if (!initialise(mapping)) return Attached::kFailed;
  write_header(memory, plan);
  return Attached::kAttached;
}

Opened Store::attach(std::span<std::byte> memory, const Settings& settings) {
  Plan plan;
  const Attached result = read_header(memory, plan);
  if (result != Attached::kAttached) return {result, nullptr};
  std::unique_ptr<Store> store(new Store(memory, plan, settings));
  if (store->slot_ == nullptr) return {Attached::kNoReaderSlot, nullptr};
  return {Attached::kAttached, std::move(store)};
}

Store::Store(std::span<std::byte> memory, const Plan& plan, const Settings& settings)
    : mapping_(memory, plan),
      hash_(plan.secret),
      settings_(settings),
      search_(hash_, Look{this}),
      slot_(mapping_.readers.join()) {}

Store::~Store() {
  if (slot_ != nullptr) mapping_.readers.leave(*slot_);
}

void Store::begin_reading() {
  if (is_reading_) return;
  mapping_.readers.enter(*slot_);
  is_reading_ = true;
}

void Store::end_batch() {
  std::erase_if(cancelled_, [this](const Reservation& each) { return try_cancel(each); });
  if (!is_reading_) return;
  Readers::exit(*slot_);
  is_reading_ = false;
}

// The walks through the page tables, of which a CPU makes two at a time, are what takes long, and
// no prefetch is done before its own: so they stand in a row, and what lies in the same page comes
// after them.
Store::Hashes Store::prefetch(std::span<const std::string_view> keys) const {
  Hashes hashes;
  keys = keys.first(std::min(keys.size(), kMostPrefetched));
  for (std::size_t i = 0; i < keys.size(); ++i) hashes[i] = hash_.of(keys[i]);
  const auto known = std::span(hashes).first(keys.size());
  for (const std::uint64_t hash : known) __builtin_prefetch(&mapping_.bucket_of(hash));
  prefetch_records(known);
  return hashes;
}

void Store::prefetch_records(std::span<const std::uint64_t> hashes) const {
  constexpr std::size_t kLine = 64;
  std::array<const std::byte*, kMostPrefetched> records;
  std::size_t count = 0;
  for (const std::uint64_t hash : hashes) {
    const std::byte* record = likely_record(mapping_.memory, mapping_.bucket_of(hash), hash);
    if (record == nullptr) continue;
    __builtin_prefetch(record);
    records[count++] = record;
  }
  for (const std::byte* record : std::span(records).first(count)) {
    for (std::size_t i = kLine; i < kPrefetchedRecord; i += kLine) __builtin_prefetch(record + i);
  }
}

std::optional<Item> Store::get(std::string_view key, std::optional<std::uint64_t> key_hash) {
  begin_reading();
  Record* record = Look{this}.find(key_hash ? *key_hash : hash_.of(key), key).record;
  if (record == nullptr) return std::nullopt;
  return item_of(*record);
}

Store::Longest Store::longest_prefix(std::string_view path, Match match) {
  begin_reading();
  path = searchable(path, match);
  const SearchResult result = search_.find(path, match, ChangeWatch(mapping_.changes));
  if (result.end == SearchEnd::kUnsettled) return {Answer::kBusy, {}};
  if (result.end == SearchEnd::kTooCostly) return {Answer::kTooCostly, {}};
  if (result.match.record == nullptr) return {};
  return {Answer::kOk, item_of(*result.match.record)};
}

TailBits Store::Look::tails(std::uint64_t hash) const {
  return store->mapping_.markers_of(hash).tails(hash);
}

void Store::Look::prefetch(std::uint64_t hash) const {
  __builtin_prefetch(&store->mapping_.markers_of(hash));
}

Found Store::Look::find(std::uint64_t hash, std::string_view key) const {
  Found found = find_in_chain(store->mapping_.memory, &store->mapping_.bucket_of(hash), hash, key);
  if (!store->is_live(found)) return Found{.buckets = found.buckets};
  Record* record = found.record;
  // Looks first: a line that is only read stays in every cache.
  if (store->settings_.eviction == Eviction::kClock &&
      record->accesses.load(std::memory_order_relaxed) == 0) {
    record->accesses.store(1, std::memory_order_relaxed);
  }
  return found;
}

// Release: with who looks at what is held after he saw this reader leave its epoch.
std::optional<Pin> Store::pin(const Item& item) {
  const auto hold = free_hold(0, kPinsPerReader);
  if (!hold) return std::nullopt;
  slot_->holds[*hold].store(pinned(units_of_key(mapping_.memory, item.key.data())),
                            std::memory_order_release);
  return Pin{*hold};
}

void Store::unpin(const Pin& pin) { clear_hold(pin.hold); }

std::optional<std::size_t> Store::free_hold(std::size_t first, std::size_t count) const {
  const std::span holds = std::span(slot_->holds).subspan(first, count);
  const auto hold = std::find_if(holds.begin(), holds.end(), [](const auto& word) {
    return word.load(std::memory_order_relaxed) == 0;
  });
  if (hold == holds.end()) return std::nullopt;
  return first + static_cast<std::size_t>(hold - holds.begin());
}

// Release: what was read or written there was so before.
void Store::clear_hold(std::size_t hold) { slot_->holds[hold].store(0, std::memory_order_release); }

}  // namespace kvs

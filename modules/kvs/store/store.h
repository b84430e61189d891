// A key-value store in memory that processes share, and that the death of any of them, at any
// instruction, leaves whole. This is all that a user of it needs.
//
//   in the zone's initialise:  Store::create(memory, options)
//   in each process:           Store::attach(memory, settings).store
//   in each batch of events:   store.set_now(...), requests, store.end_batch()
//   every few seconds:         tend() for each shard (slices.h)
//
// Reading takes no lock: it sees what is stored while others write, are stopped, or die. Writing
// locks one of the shards, without ever waiting: kBusy is for the caller to try again, some
// milliseconds at most, and then to tell the client. What a dead one has left half done is undone
// by the next who locks the shard.
//
// One thread, that which attached it, for a Store; any number of Stores for a memory.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "modules/kvs/store/layout.h"
#include "modules/kvs/store/prefix_search.h"
#include "modules/kvs/store/shard.h"

namespace kvs {

enum class Answer {
  kOk,
  kNotFound,
  kExists,     // cas is another one
  kNotStored,  // kIfAbsent and there, kIfPresent and not there
  kNoSpace,    // nothing has changed, but that others may have been evicted
  // The same, and it is worth trying again, in another batch (after end_batch()): somebody else has
  // the shard; or there is memory that waits for batches to end, in that shard for anybody's, in
  // others for this process's; or the eviction of many small items for one large one has begun.
  kBusy,
  kNotANumber,       // or the sum is none of 64 bits
  kTooLarge,         // key or value
  kTooCostly,        // of a prefix search: to find out would take too long, now and at another try
  kTooManyReserved,  // by this process; see reserve()
};
[[nodiscard]] const char* to_string(Answer answer);

enum class Eviction {
  kNone,   // a full store answers kNoSpace
  kClock,  // what was not used lately makes room
};

// Of one process; all should have the same.
struct Settings {
  Eviction eviction = Eviction::kNone;
};

// The views are into the store, and are good until end_batch() (or while pinned).
struct Item {
  std::string_view key;
  std::string_view value;
  std::uint32_t flags = 0;
  std::uint64_t cas = 0;
  std::uint64_t expires_ms = 0;  // on the clock of set_now(); 0: never
};

[[nodiscard]] Item item_of(Record& record);

enum class Condition { kAlways, kIfAbsent, kIfPresent };

struct Write {
  std::string_view key{};
  std::string_view value{};
  std::uint32_t flags = 0;
  std::uint64_t expires_ms = 0;
  Condition condition = Condition::kAlways;
  std::uint64_t cas = 0;                    // what the key must have now; 0: whatever it has
  std::optional<std::uint64_t> key_hash{};  // as prefetch() has given it
};

struct Written {
  Answer answer = Answer::kOk;
  std::uint64_t cas = 0;  // the new one, when kOk
};

struct Sum {
  Answer answer = Answer::kOk;
  std::int64_t value = 0;
};

// A value that is written piece by piece, before it is stored.
struct Reservation {
  std::span<char> value;  // to be filled
  std::size_t hold = 0;
  Units units = 0;
};

struct Pin {
  std::size_t hold = 0;
};

class Store;
struct Opened {
  Attached result = Attached::kAttached;
  std::unique_ptr<Store> store;  // null unless kAttached
};

class Store {
 public:
  // In zeroed memory that nobody else uses yet, aligned to a page. Anything but kAttached: refused.
  [[nodiscard]] static Attached create(std::span<std::byte> memory, const Options& options);
  [[nodiscard]] static Opened attach(std::span<std::byte> memory, const Settings& settings = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The time for what follows: milliseconds on a clock that all processes share and that does not
  // jump (CLOCK_BOOTTIME).
  void set_now(std::uint64_t now_ms) { now_ms_ = now_ms; }
  // Lets go of all that was read. Memory that others free meanwhile waits for it. To be called
  // after each batch, whether it has read or not.
  void end_batch();

  // Keys that are about to be asked for or written, up to kMostPrefetched at a time: what they need
  // is fetched from memory for all of them at once, and not for one after the other. Returns their
  // hashes, which need not be made again.
  static constexpr std::size_t kMostPrefetched = 16;
  using Hashes = std::array<std::uint64_t, kMostPrefetched>;
  [[nodiscard]] Hashes prefetch(std::span<const std::string_view> keys) const;

  // None: not there. `key_hash` as prefetch() has given it.
  [[nodiscard]] std::optional<Item> get(std::string_view key,
                                        std::optional<std::uint64_t> key_hash = std::nullopt);
  // kOk, kNotFound; kBusy: others change keys all the time, try again; or kTooCostly. A search
  // looks at no more than some ten thousand places (PrefixSearch::kMostLooks), whatever clients
  // store or ask for: paths of up to 2 KiB are always answered where chains are of a bucket or so,
  // as with items of the expected size (Options::average_item). With items a tenth as large
  // chains are ten times as long, and a path is too costly at a tenth of that length if most of its
  // lengths have to be tried. Never a shorter match than there is.
  struct Longest {
    Answer answer = Answer::kNotFound;
    Item item;
  };
  [[nodiscard]] Longest longest_prefix(std::string_view path, Match match);
  // Keys that this process's searches have looked for so far: few for each, or somebody stores keys
  // to make them slow.
  [[nodiscard]] std::uint64_t prefix_probes() const { return search_.probes(); }
  // An item of this batch stays readable until unpin(), also over end_batch(). None: all of this
  // process's kPinsPerReader are in use. Who needs the item for longer copies it then.
  [[nodiscard]] std::optional<Pin> pin(const Item& item);
  void unpin(const Pin& pin);

  Written write(const Write& write);
  Answer erase(std::string_view key);
  // The value as a decimal number, `initial` where there is none.
  Sum add(std::string_view key, std::int64_t delta,
          std::optional<std::int64_t> initial = std::nullopt);
  Written append(std::string_view key, std::string_view bytes);
  Written prepend(std::string_view key, std::string_view bytes);
  Written touch(std::string_view key, std::uint64_t expires_ms);

  // write() in two steps, without write.value: room for so many bytes, which the caller fills while
  // others have the shard, as write() does with what is large. To be ended by commit() or cancel();
  // by itself when the process dies. kTooManyReserved: kReservationsPerReader of this process are
  // open.
  struct Reserved {
    Answer answer = Answer::kOk;
    Reservation reservation;
  };
  [[nodiscard]] Reserved reserve(std::string_view key, std::size_t value_bytes);
  // With the same key. After kBusy the reservation is as it was; after anything else it has ended.
  Written commit(const Reservation& reservation, const Write& write);
  void cancel(const Reservation& reservation);

  // What slices.h, eviction.h, statistics.h and audits work with.
  [[nodiscard]] Mapping& mapping() { return mapping_; }
  [[nodiscard]] const RollingHash& hash() const { return hash_; }
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
  // Before lock-free reads of one's own; until end_batch().
  void begin_reading();

 private:
  // How a prefix search sees the store.
  struct Look {
    Store* store;
    [[nodiscard]] TailBits tails(std::uint64_t hash) const;
    [[nodiscard]] Found find(std::uint64_t hash, std::string_view key) const;
    void prefetch(std::uint64_t hash) const;
  };
  // A key, and what is to be known of it before its shard is locked.
  struct Target {
    std::string_view key;
    std::uint64_t hash;
    std::uint64_t directory_hash;
    std::size_t tail;  // bytes behind the directory
  };

  Store(std::span<std::byte> memory, const Plan& plan, const Settings& settings);

  [[nodiscard]] Target target(std::string_view key,
                              std::optional<std::uint64_t> key_hash = std::nullopt) const;
  void prefetch_records(std::span<const std::uint64_t> hashes) const;
  [[nodiscard]] bool is_live(const Found& found) const {
    return found.record != nullptr && !found.record->is_expired(now_ms_);
  }
  struct Room {
    Units units = 0;
    Answer refusal = Answer::kNoSpace;  // when there are none
  };
  // For a record of that key, which itself stays where it is; of other keys nothing that was found
  // before is there for sure afterwards.
  [[nodiscard]] Room allocate(LockedShard& shard, std::string_view key, std::size_t bytes);
  [[nodiscard]] bool is_room_kept_by_this_batch() const;
  // What to say when there is none in that shard.
  [[nodiscard]] Answer no_room(LockedShard& shard) const;
  [[nodiscard]] Answer check(const Write& write, const Found& found) const;
  // What is to be known of a record before it is filled. Whether a reserved one will need its
  // extras nobody knows: it has them.
  struct Sizes {
    std::size_t value;
    bool has_extras;
  };
  // All but the value.
  Record& fill(LockedShard& shard, Units units, const Write& write, const Sizes& sizes);
  // Not kOk: there is no place for it in its chain, and the cell is the caller's.
  Written publish(LockedShard& shard, const Target& target, Units units);
  // What takes long to copy is copied without the lock, or it would make busy ones of others'
  // writes; into a reservation, if there is one left.
  [[nodiscard]] bool is_copied_unlocked(std::size_t value_bytes) const;
  Written write_large(const Write& write);
  // The same for another value or time of an item that was seen; busy when that has changed since.
  Written replace_large(const Item& seen, std::string_view value, std::uint64_t expires_ms);
  // Whatever its conditions.
  Written put(LockedShard& shard, const Target& target, const Write& write);
  Written extend(std::string_view key, std::string_view before, std::string_view after);

  // Of `count` ones, from the first on. None: all are in use.
  [[nodiscard]] std::optional<std::size_t> free_hold(std::size_t first, std::size_t count) const;
  void clear_hold(std::size_t hold);
  bool try_cancel(const Reservation& reservation);

  Mapping mapping_;
  RollingHash hash_;
  Settings settings_;
  PrefixSearch<Look> search_;
  ReaderSlot* slot_ = nullptr;
  std::vector<Reservation> cancelled_;  // whose shard was busy
  bool is_reading_ = false;
  std::uint64_t now_ms_ = 0;
};

}  // namespace kvs

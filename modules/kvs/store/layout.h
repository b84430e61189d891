// What lies where in a store's memory, and the header that says so. The header is written once, by
// create(); attach() refuses whatever create() of this very program would not have written: another
// layout, another C library (mutexes lie in the memory), a changed byte. After that nobody reads
// it again, so writing over it harms nobody who is attached.
//
//   header | globals | reader slots | change counters | shards | page owners | page infos
//          | buckets | markers | pages
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "modules/kvs/store/hash.h"
#include "modules/kvs/store/memory.h"

namespace kvs {

// Another one with each change of what lies there.
inline constexpr std::uint32_t kLayoutVersion = 4;

struct Options {
  // A power of two up to 64; 0: as many as the size bears up to 16, and for more than 512 MiB one
  // for each 32 MiB.
  std::uint32_t shards = 0;
  std::uint32_t readers = 256;  // processes (threads) that may be joined at a time; up to 4096
  // What an item is expected to take, with its key. Sets the number of buckets and markers: items
  // that are ten times as small make chains ten times as long, and are found more slowly.
  std::uint32_t average_item = 192;
  // Fixed by tests; otherwise from the kernel.
  std::optional<HashSecret> secret = std::nullopt;
};

// How many there are of each; `shards` is a power of two.
struct Counts {
  std::uint32_t shards = 0;
  std::uint32_t buckets = 0;  // for each shard
  std::uint32_t marker_groups = 0;
  std::uint32_t readers = 0;
  std::uint32_t pages = 0;
  bool operator==(const Counts&) const = default;
};

// Where each region begins, in bytes.
struct Layout {
  Counts counts;
  std::uint64_t globals = 0;
  std::uint64_t readers = 0;
  std::uint64_t changes = 0;
  std::uint64_t shards = 0;
  std::uint64_t page_owners = 0;
  std::uint64_t page_infos = 0;
  std::uint64_t buckets = 0;
  std::uint64_t markers = 0;
  std::uint64_t pages = 0;
  std::uint64_t end = 0;
};

inline constexpr std::uint32_t kMostShards = 64;
inline constexpr std::uint32_t kMostReaders = 4096;
inline constexpr std::uint32_t kMostPages = std::uint32_t{1} << 26;  // 4 TiB

enum class Attached {
  kAttached,
  kTooSmall,      // create: not even a page for each shard fits
  kBadOptions,    // create: out of range
  kFailed,        // create: no randomness, or no robust mutexes
  kNoStore,       // attach: there is no store in this memory
  kOtherVersion,  // attach: of another version or with features that this program does not know
  kOtherLibrary,  // attach: its mutexes are those of another C library
  kNoReaderSlot,  // attach: as many have attached as there are slots
  kDamaged,       // attach: the header is not what create() wrote, or not for this size
};
[[nodiscard]] const char* to_string(Attached result);

struct Plan {
  Layout layout;
  HashSecret secret;
};

[[nodiscard]] bool is_valid(const Options& options);
// Where everything goes, with counts in range.
[[nodiscard]] Layout layout_of(const Counts& counts);
// The counts for a memory of so many bytes, with valid options; none: too small.
[[nodiscard]] std::optional<Counts> counts_for(std::size_t bytes, const Options& options);

// Writes the header of a new store: the last step of its creation, for from then on others may
// attach. The memory is aligned to 64 bytes.
void write_header(std::span<std::byte> memory, const Plan& plan);
// Checks the header. `plan` is set when it answers kAttached.
[[nodiscard]] Attached read_header(std::span<const std::byte> memory, Plan& plan);

}  // namespace kvs

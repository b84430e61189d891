#include "modules/kvs/store/layout.h"

#include <gnu/libc-version.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <type_traits>

#include "modules/kvs/store/bucket.h"
#include "modules/kvs/store/changes.h"
#include "modules/kvs/store/markers.h"
#include "modules/kvs/store/pages.h"
#include "modules/kvs/store/readers.h"
#include "modules/kvs/store/shard.h"

namespace kvs {
namespace {

constexpr std::array<char, 8> kMagic{'d', 'r', 'v', 'k', 'v', 's', '\r', '\n'};
constexpr std::uint64_t kFeatures = 0;  // each changes what older programs may not touch
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::uint32_t kMostBuckets = std::uint32_t{1} << 30;

// As it lies in memory, with no gaps: all of it is under the checksum.
struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kLayoutVersion;
  std::uint32_t mutex_bytes = sizeof(pthread_mutex_t);
  std::uint64_t features = kFeatures;
  std::array<char, 16> library{};
  std::uint64_t memory_bytes = 0;
  Counts counts;
  // Of what lies there: a program in which one has changed, but not the version, refuses, too.
  std::array<std::uint32_t, 7> sizes{sizeof(Globals), sizeof(ReaderSlot),  sizeof(Shard),
                                     sizeof(Bucket),  sizeof(MarkerGroup), sizeof(PageInfo),
                                     Record::kHead};
  HashSecret secret;
  std::uint64_t checksum = 0;  // of all before it
};
static_assert(std::has_unique_object_representations_v<Header> && sizeof(Header) <= kHeaderBytes);

std::array<char, 16> library() {
  std::array<char, 16> name{};
  const char* version = gnu_get_libc_version();
  std::copy_n(version, std::min(std::strlen(version), name.size() - 1), name.begin());
  return name;
}

// FNV-1a: against accidents, not against somebody who can write here.
std::uint64_t checksum(const Header& header) {
  std::array<unsigned char, offsetof(Header, checksum)> bytes;
  std::memcpy(bytes.data(), &header, bytes.size());
  std::uint64_t sum = 0xcbf29ce484222325;
  for (const unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

bool in_range(const Counts& counts) {
  const auto is_up_to = [](std::uint32_t most, std::uint32_t value) {
    return value > 0 && value <= most;
  };
  return std::has_single_bit(counts.shards) && is_up_to(kMostShards, counts.shards) &&
         is_up_to(kMostBuckets, counts.buckets) && is_up_to(kMostBuckets, counts.marker_groups) &&
         is_up_to(kMostReaders, counts.readers) && is_up_to(kMostPages, counts.pages);
}

std::uint32_t some_of(std::uint64_t wanted) {
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wanted, 1, kMostBuckets));
}

// Each shard wants a page of its own for each size of record that is in use, and a prefix search
// looks at them all: so a few will do, until one is so large that to collect its garbage takes some
// milliseconds.
std::uint32_t shards_for(std::size_t bytes) {
  constexpr std::size_t kLeastForAShard = std::size_t{4} << 20;
  constexpr std::size_t kFew = 16;
  constexpr std::size_t kMostForAShard = std::size_t{32} << 20;
  const std::size_t few = std::clamp<std::size_t>(bytes / kLeastForAShard, 1, kFew);
  const std::size_t wanted = std::clamp<std::size_t>(bytes / kMostForAShard, few, kMostShards);
  return static_cast<std::uint32_t>(std::bit_floor(wanted));
}

}  // namespace

const char* to_string(Attached result) {
  switch (result) {
    case Attached::kAttached:
      return "attached";
    case Attached::kTooSmall:
      return "the memory is too small for a store";
    case Attached::kBadOptions:
      return "options out of range";
    case Attached::kFailed:
      return "the system has no random bytes or no robust mutexes";
    case Attached::kNoStore:
      return "no store in this memory";
    case Attached::kOtherVersion:
      return "a store of another version";
    case Attached::kOtherLibrary:
      return "a store made with another C library";
    case Attached::kNoReaderSlot:
      return "the store has no room for another process";
    case Attached::kDamaged:
      return "the header of the store is damaged";
  }
  return "?";
}

bool is_valid(const Options& options) {
  const bool are_shards_right =
      options.shards == 0 || (std::has_single_bit(options.shards) && options.shards <= kMostShards);
  return are_shards_right && options.readers > 0 && options.readers <= kMostReaders;
}

Layout layout_of(const Counts& counts) {
  Layout layout{.counts = counts};
  std::uint64_t end = kHeaderBytes;
  const auto place = [&end](std::uint64_t count, std::uint64_t each, std::uint64_t alignment) {
    const std::uint64_t begin = (end + alignment - 1) / alignment * alignment;
    end = begin + count * each;
    return begin;
  };
  constexpr std::uint64_t kLine = 64;
  layout.globals = place(1, sizeof(Globals), kLine);
  layout.readers = place(counts.readers, sizeof(ReaderSlot), alignof(ReaderSlot));
  layout.changes = place(counts.shards, sizeof(ChangeCounter), kLine);
  layout.shards = place(counts.shards, sizeof(Shard), alignof(Shard));
  layout.page_owners = place(counts.pages, sizeof(PageOwner), kLine);
  layout.page_infos = place(counts.pages, sizeof(PageInfo), kLine);
  layout.buckets = place(std::uint64_t{counts.shards} * counts.buckets, sizeof(Bucket), kLine);
  layout.markers = place(counts.marker_groups, sizeof(MarkerGroup), kLine);
  layout.pages = place(counts.pages, kPageBytes, 4096);
  layout.end = end;
  return layout;
}

std::optional<Counts> counts_for(std::size_t bytes, const Options& options) {
  constexpr std::uint64_t kItemsPerBucket = 5;        // of seven: few buckets have a chain
  constexpr std::uint64_t kItemsPerMarkerGroup = 16;  // some four directories, of eight
  const std::uint64_t items = bytes / std::max<std::uint32_t>(options.average_item, 32);
  Counts counts;
  counts.shards = options.shards != 0 ? options.shards : shards_for(bytes);
  counts.buckets = some_of(items / kItemsPerBucket / counts.shards);
  counts.marker_groups = some_of(items / kItemsPerMarkerGroup);
  counts.readers = options.readers;
  const std::uint64_t fixed = layout_of(counts).end + 4 * kPageBytes;  // and what alignment takes
  if (bytes <= fixed) return std::nullopt;
  const std::uint64_t page = kPageBytes + sizeof(PageInfo) + sizeof(PageOwner);
  counts.pages =
      static_cast<std::uint32_t>(std::min<std::uint64_t>((bytes - fixed) / page, kMostPages));
  if (!in_range(counts) || counts.pages < counts.shards) return std::nullopt;
  return counts;
}

void write_header(std::span<std::byte> memory, const Plan& plan) {
  Header header;
  header.library = library();
  header.memory_bytes = memory.size();
  header.counts = plan.layout.counts;
  header.secret = plan.secret;
  header.checksum = checksum(header);
  std::memcpy(memory.data(), &header, sizeof header);
}

Attached read_header(std::span<const std::byte> memory, Plan& plan) {
  Header header;
  if (memory.size() < kHeaderBytes) return Attached::kNoStore;
  std::memcpy(&header, memory.data(), sizeof header);
  if (header.magic != kMagic) return Attached::kNoStore;
  if (header.version != kLayoutVersion || header.features != kFeatures)
    return Attached::kOtherVersion;
  if (header.mutex_bytes != sizeof(pthread_mutex_t) || header.library != library()) {
    return Attached::kOtherLibrary;
  }
  const bool is_ours = header.checksum == checksum(header) && in_range(header.counts) &&
                       header.sizes == Header{}.sizes && header.memory_bytes == memory.size();
  if (!is_ours || layout_of(header.counts).end > memory.size()) return Attached::kDamaged;
  plan = Plan{layout_of(header.counts), header.secret};
  return Attached::kAttached;
}

}  // namespace kvs

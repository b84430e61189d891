// A zone: named memory of the master's (a sealed memfd) that outlives workers and generations. It
// begins with a page that is Drover's, the header; what follows is the module's. Any worker may
// have written anything into both, and may have been killed while it did: who reads a header
// checks it, and the master reads copies of it; it maps one word (count_unclean_end()), and no
// more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

inline constexpr std::size_t kZoneHeaderSize = 4096;
inline constexpr std::size_t kZoneLeases = 16;
inline constexpr std::size_t kLongestZoneOwner = 63;  // of a module's name

// What is kFresh or kInitialising belongs to nobody: whoever was to initialise it has not come, or
// died over it. What is kStored has outlived every process, and may be dropped by the first one
// that cannot use it; until then it is its owner's.
enum class ZoneState : std::uint32_t { kFresh, kInitialising, kReady, kStored };
[[nodiscard]] const char* to_string(ZoneState state);

// Whose a zone is, and how its memory is laid out.
struct ZoneOwner {
  std::string module;
  std::uint64_t version = 0;     // the module's number for its layout
  std::uint64_t type_sizes = 0;  // a number that changes with the sizes of the types in it
  bool operator==(const ZoneOwner&) const = default;
};

// The page at offset 0, as it lies in memory. Words that processes share are read and written as
// atomics. A change of this struct is a new kZoneVersion.
inline constexpr std::uint32_t kZoneVersion = 1;
struct ZoneHeader {
  std::array<char, 8> magic{'d', 'r', 'v', 'z', 'o', 'n', 'e', '\0'};
  std::uint32_t version = kZoneVersion;
  std::uint32_t state = 0;       // ZoneState; the owner holds from kReady on
  std::uint64_t size_bytes = 0;  // of the module's memory
  std::array<char, kLongestZoneOwner + 1> owner{};
  std::uint64_t owner_version = 0;
  std::uint64_t owner_type_sizes = 0;
  // Workers that had the zone and ended otherwise than in order; written by masters alone. The
  // clean flag of a zone: what was written down after a repair and is still the same.
  std::uint64_t unclean_ends = 0;
  std::array<std::uint64_t, kZoneLeases> leases{};  // worker/zone_lease.h
};
static_assert(sizeof(ZoneHeader) <= kZoneHeaderSize);

// What a header says, checked.
struct ZoneInfo {
  ZoneState state = ZoneState::kFresh;
  ZoneOwner owner;  // when kReady or kStored
  std::uint64_t unclean_ends = 0;
};

// Of a zone with `size_bytes` for the module, in whole pages.
[[nodiscard]] std::size_t zone_mapping_size(std::int64_t size_bytes);

// A fresh zone: all zero behind its header, sealed so that nobody can change its size, or let
// another process die of a page that is not there.
[[nodiscard]] Result<UniqueFd> make_zone(const std::string& name, std::int64_t size_bytes);

// `bytes` are the beginning of a zone that should have `size_bytes`; an error says what is wrong.
[[nodiscard]] Result<ZoneInfo> check_zone_header(std::span<const std::byte> bytes,
                                                 std::int64_t size_bytes);
// The same of a zone's descriptor.
[[nodiscard]] Result<ZoneInfo> read_zone_header(int fd, std::int64_t size_bytes);

// Master. One more than stands there, and than `floor`: a former master whose workers drain counts
// in the same zone, and a number that is used twice is an end that nobody repairs. Answers what
// stands there now. The page is there, and sealed; an error is want of memory for its mapping.
[[nodiscard]] Result<std::uint64_t> count_unclean_end(int fd, std::uint64_t floor);
// Master. Only while no other process has the zone.
Status write_zone_state(int fd, ZoneState state);
// Whether it has the size of such a zone, and nobody can change that.
[[nodiscard]] bool is_sealed_zone(int fd, std::int64_t size_bytes);

}  // namespace drover

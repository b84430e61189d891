#include "common/zone.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <string_view>

#include "common/fault.h"
#include "common/sealed_memfd.h"

namespace drover {
namespace {

constexpr std::size_t kPage = 4096;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// A module's name as module_image.cpp lets it pass; it ends up in logs and in what scripts parse.
Result<std::string> read_owner(const ZoneHeader& header) {
  const auto end = std::ranges::find(header.owner, '\0');
  const std::string name(header.owner.begin(), end);
  const bool is_good =
      end != header.owner.end() && !name.empty() && std::ranges::all_of(name, &is_name_character);
  if (!is_good) return Error("the owner in its header is no module's name");
  return name;
}

Status write_header(int fd, const ZoneHeader& header) {
  if (pwrite(fd, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header))
    return Error::from_errno("pwrite");
  return Done{};
}

}  // namespace

const char* to_string(ZoneState state) {
  switch (state) {
    case ZoneState::kFresh:
      return "fresh";
    case ZoneState::kInitialising:
      return "initialising";
    case ZoneState::kReady:
      return "ready";
    case ZoneState::kStored:
      return "stored";
  }
  return "unknown";
}

std::size_t zone_mapping_size(std::int64_t size_bytes) {
  return kZoneHeaderSize + (static_cast<std::size_t>(size_bytes) + kPage - 1) / kPage * kPage;
}

Result<UniqueFd> make_zone(const std::string& name, std::int64_t size_bytes) {
  if (fault("zone_memory")) return Error::from_errno("memfd_create", ENOMEM);
  DROVER_TRY(UniqueFd fd,
             make_sealed_memfd(("drover-zone." + name).c_str(), zone_mapping_size(size_bytes)));
  ZoneHeader header;
  header.size_bytes = static_cast<std::uint64_t>(size_bytes);
  DROVER_TRY_DO(write_header(fd.get(), header));
  return fd;
}

Result<ZoneInfo> check_zone_header(std::span<const std::byte> bytes, std::int64_t size_bytes) {
  ZoneHeader header;
  if (bytes.size() < sizeof header) return Error("it is too short for a header");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != ZoneHeader{}.magic) return Error("its header is not a zone's");
  if (header.version != kZoneVersion) {
    return Error(
        fmt::format("its header has version {}, this drover has {}", header.version, kZoneVersion));
  }
  if (header.size_bytes != static_cast<std::uint64_t>(size_bytes)) {
    return Error(fmt::format("its header says {} bytes, it has {}", header.size_bytes, size_bytes));
  }
  if (header.state > static_cast<std::uint32_t>(ZoneState::kStored))
    return Error(fmt::format("its header has no such state as {}", header.state));
  ZoneInfo info;
  info.state = static_cast<ZoneState>(header.state);
  info.unclean_ends = header.unclean_ends;
  if (info.state < ZoneState::kReady) return info;
  DROVER_TRY(info.owner.module, read_owner(header));
  info.owner.version = header.owner_version;
  info.owner.type_sizes = header.owner_type_sizes;
  return info;
}

Result<ZoneInfo> read_zone_header(int fd, std::int64_t size_bytes) {
  std::array<std::byte, sizeof(ZoneHeader)> bytes{};
  const ssize_t size = pread(fd, bytes.data(), bytes.size(), 0);
  if (size < 0) return Error::from_errno("pread");
  return check_zone_header(std::span(bytes).first(static_cast<std::size_t>(size)), size_bytes);
}

Result<std::uint64_t> count_unclean_end(int fd, std::uint64_t floor) {
  void* memory = mmap(nullptr, kZoneHeaderSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno("mmap of a zone's header");
  const std::atomic_ref<std::uint64_t> ends(static_cast<ZoneHeader*>(memory)->unclean_ends);
  std::uint64_t stands = ends.load();
  std::uint64_t next = 0;
  do {
    const bool is_garbage = stands == std::numeric_limits<std::uint64_t>::max();
    next = std::max(is_garbage ? 0 : stands, floor) + 1;
  } while (!ends.compare_exchange_weak(stands, next));
  munmap(memory, kZoneHeaderSize);
  return next;
}

Status write_zone_state(int fd, ZoneState state) {
  const auto word = static_cast<std::uint32_t>(state);
  if (pwrite(fd, &word, sizeof word, offsetof(ZoneHeader, state)) != sizeof word)
    return Error::from_errno("pwrite");
  return Done{};
}

bool is_sealed_zone(int fd, std::int64_t size_bytes) {
  return is_sealed_memfd(fd, zone_mapping_size(size_bytes));
}

}  // namespace drover

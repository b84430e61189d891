#include "worker/zone_mapping.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "common/fault.h"
#include "worker/zone_lease.h"

namespace drover {
namespace {

// The kernel's record lock of a process on the zone: whoever ends, however it ends, lets it go, and
// whoever is only stopped does not. Forked children do not have it.
class InitialisingLock {
 public:
  [[nodiscard]] static Result<InitialisingLock> wait_for(int fd) {
    struct flock whole {};
    whole.l_type = F_WRLCK;
    while (fcntl(fd, F_SETLKW, &whole) != 0) {
      if (errno != EINTR) return Error::from_errno("F_SETLKW");
    }
    return InitialisingLock(fd);
  }
  InitialisingLock(InitialisingLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InitialisingLock& operator=(InitialisingLock&&) = delete;
  ~InitialisingLock() {
    struct flock whole {};
    whole.l_type = F_UNLCK;
    if (fd_ >= 0) fcntl(fd_, F_SETLK, &whole);
  }

 private:
  explicit InitialisingLock(int fd) : fd_(fd) {}
  int fd_;
};

ZoneAnswer compare(const ZoneOwner& has, const ZoneOwner& wants) {
  if (has.module != wants.module) {
    return {ZoneVerdict::kOtherModule, fmt::format("it belongs to module {}", has.module)};
  }
  if (has.version != wants.version) {
    return {ZoneVerdict::kOtherLayout, fmt::format("its layout is version {}, wanted is version {}",
                                                   has.version, wants.version)};
  }
  if (has.type_sizes != wants.type_sizes) {
    return {ZoneVerdict::kOtherLayout,
            fmt::format("the types in it have other sizes (of layout version {}): {} against {}",
                        has.version, has.type_sizes, wants.type_sizes)};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ZoneMapping>> ZoneMapping::map(const ZoneHeritage& zone) {
  void* memory = mmap(nullptr, zone_mapping_size(zone.size_bytes), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, zone.fd, 0);
  if (memory == MAP_FAILED) return Error::from_errno("mmap");
  return std::unique_ptr<ZoneMapping>(new ZoneMapping(zone, memory));
}

ZoneMapping::ZoneMapping(ZoneHeritage zone, void* memory)
    : zone_(std::move(zone)), header_(static_cast<ZoneHeader*>(memory)) {}

std::span<std::byte> ZoneMapping::memory() const {
  return {reinterpret_cast<std::byte*>(header_) + kZoneHeaderSize,
          static_cast<std::size_t>(zone_.size_bytes)};
}

ZoneState ZoneMapping::state() const {
  return static_cast<ZoneState>(std::atomic_ref(header_->state).load(std::memory_order_acquire));
}

void ZoneMapping::set_state(ZoneState state) {
  std::atomic_ref(header_->state)
      .store(static_cast<std::uint32_t>(state), std::memory_order_release);
}

Result<ZoneInfo> ZoneMapping::info() const {
  return check_zone_header(std::as_bytes(std::span(header_, 1)), zone_.size_bytes);
}

ZoneAnswer ZoneMapping::claim(const ZoneOwner& owner, const Initialise& initialise) {
  if (owner.module.size() > kLongestZoneOwner) {
    return {ZoneVerdict::kFailed,
            fmt::format("the module's name is longer than {} characters", kLongestZoneOwner)};
  }
  // Once ready it stays so, and what its owner wrote before is there.
  std::string dropped;
  if (state() != ZoneState::kReady) {
    const auto sound = info();
    if (!sound.ok()) return {ZoneVerdict::kDamaged, sound.error().message()};
    const auto done = initialise_once(owner, initialise);
    if (!done.ok()) return {ZoneVerdict::kFailed, done.error().message()};
    dropped = done.value();
  }
  const auto checked = info();
  if (!checked.ok()) return {ZoneVerdict::kDamaged, checked.error().message()};
  ZoneAnswer answer = compare(checked.value().owner, owner);
  return answer.verdict == ZoneVerdict::kGranted ? ZoneAnswer{answer.verdict, dropped} : answer;
}

// What was dropped for it.
Result<std::string> ZoneMapping::initialise_once(const ZoneOwner& owner,
                                                 const Initialise& initialise) {
  DROVER_TRY(const InitialisingLock lock, InitialisingLock::wait_for(zone_.fd));
  std::string dropped;
  if (state() == ZoneState::kStored) {
    DROVER_TRY(const ZoneInfo stored, info());
    dropped = compare(stored.owner, owner).reason;
    if (dropped.empty()) set_state(ZoneState::kReady);
  }
  if (state() == ZoneState::kReady) return dropped;  // or by the one that was waited for
  DROVER_TRY_DO(initialise_now(owner, initialise));
  return dropped;
}

Status ZoneMapping::initialise_now(const ZoneOwner& owner, const Initialise& initialise) {
  if (state() != ZoneState::kFresh) DROVER_TRY_DO(clear_memory());
  set_state(ZoneState::kInitialising);
  if (zone_.preallocate &&
      fallocate(zone_.fd, 0, 0, static_cast<off_t>(zone_mapping_size(zone_.size_bytes))) != 0) {
    return Error::from_errno("preallocate");
  }
  header_->owner.fill('\0');
  std::ranges::copy(owner.module, header_->owner.begin());
  header_->owner_version = owner.version;
  header_->owner_type_sizes = owner.type_sizes;
  pause_point("zone.initialising");
  if (!initialise(memory())) return Error("its initialisation failed");
  pause_point("zone.initialised");
  set_state(ZoneState::kReady);
  return Done{};
}

// What a predecessor that died had begun is gone: the pages are given back, and read as zero.
Status ZoneMapping::clear_memory() {
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  const auto size = static_cast<off_t>(zone_mapping_size(zone_.size_bytes) - kZoneHeaderSize);
  if (fallocate(zone_.fd, mode, kZoneHeaderSize, size) != 0)
    return Error::from_errno("clear its memory");
  return Done{};
}

bool ZoneMapping::take_lease(std::size_t index, const void* holder, Millis now, Millis length) {
  if (index >= kZoneLeases || length < Millis{1} || length > kLongestZoneLease) return false;
  const std::uint64_t current = std::atomic_ref(header_->leases.at(index)).load();
  const Held& held = held_.at(index);
  const bool is_mine = held.holder == holder && held.word == current;
  if (!is_mine && !ZoneLease::unpack(current).is_free(now)) return false;
  return replace_lease(index, current, {holder, ZoneLease{getpid(), now + length}.pack()});
}

bool ZoneMapping::keep_lease(std::size_t index, const void* holder, Millis now, Millis length) {
  if (index >= kZoneLeases || length < Millis{1} || length > kLongestZoneLease) return false;
  const Held held = held_.at(index);
  if (held.holder != holder) return false;
  if (replace_lease(index, held.word, {holder, ZoneLease{getpid(), now + length}.pack()}))
    return true;
  held_.at(index) = {};
  return false;
}

void ZoneMapping::give_back_lease(std::size_t index, const void* holder) {
  if (index >= kZoneLeases || held_.at(index).holder != holder) return;
  replace_lease(index, held_.at(index).word, {});
  held_.at(index) = {};
}

void ZoneMapping::give_back_leases_of(const void* holder) {
  for (std::size_t index = 0; index < kZoneLeases; ++index) give_back_lease(index, holder);
}

bool ZoneMapping::replace_lease(std::size_t index, std::uint64_t from, const Held& to) {
  if (!std::atomic_ref(header_->leases.at(index)).compare_exchange_strong(from, to.word))
    return false;
  held_.at(index) = to;
  return true;
}

ZoneMappings::Opened ZoneMappings::open(const std::string& name, const ZoneOwner& owner,
                                        const ZoneMapping::Initialise& initialise) {
  const auto zone = std::ranges::find(zones_, name, &ZoneHeritage::name);
  if (zone == zones_.end())
    return {nullptr, {ZoneVerdict::kUnknown, "the configuration has no such section"}};
  auto mapping = mapping_of(*zone);
  if (!mapping.ok()) return {nullptr, {ZoneVerdict::kFailed, mapping.error().message()}};
  ZoneAnswer answer = mapping.value()->claim(owner, initialise);
  const bool is_granted = answer.verdict == ZoneVerdict::kGranted;
  return {is_granted ? mapping.value() : nullptr, std::move(answer)};
}

Result<ZoneMapping*> ZoneMappings::mapping_of(const ZoneHeritage& zone) {
  for (const auto& mapping : mapped_) {
    if (mapping->name() == zone.name) return mapping.get();
  }
  DROVER_TRY(auto mapping, ZoneMapping::map(zone));
  mapped_.push_back(std::move(mapping));
  return mapped_.back().get();
}

ZoneMapping* ZoneMappings::find(const void* memory) const {
  for (const auto& mapping : mapped_) {
    if (mapping->memory().data() == memory) return mapping.get();
  }
  return nullptr;
}

void ZoneMappings::give_back_leases_of(const void* holder) {
  for (const auto& mapping : mapped_) mapping->give_back_leases_of(holder);
}

}  // namespace drover

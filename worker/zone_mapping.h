// A zone in this worker's memory: whose it is, who initialises it, who holds its leases. One a zone
// and worker, whatever the number of servers that use it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/heritage.h"
#include "common/result.h"
#include "common/settings.h"
#include "common/zone.h"

namespace drover {

// In the order of the contract's enum drover_zone_result.
enum class ZoneVerdict { kGranted, kUnknown, kOtherModule, kOtherLayout, kDamaged, kFailed };

struct ZoneAnswer {
  ZoneVerdict verdict = ZoneVerdict::kGranted;
  std::string reason;  // empty when granted; or what a stored zone had, that was dropped
};

class ZoneMapping {
 public:
  // The mapping goes with the process: exit handlers of a module may still reach into it.
  [[nodiscard]] static Result<std::unique_ptr<ZoneMapping>> map(const ZoneHeritage& zone);
  ZoneMapping(const ZoneMapping&) = delete;
  ZoneMapping& operator=(const ZoneMapping&) = delete;

  // Gets the zone for this owner. When nobody has initialised it `initialise` is called with the
  // zeroed memory, in one worker at a time; the others wait. Who dies in it, or answers false,
  // leaves it to the next as if it had not been. Waits for a worker that was stopped, too, because
  // that one may still write: before READY only, when the master's ready_timeout ends the wait. A
  // stored zone of another owner or layout counts as not initialised.
  using Initialise = std::function<bool(std::span<std::byte>)>;
  [[nodiscard]] ZoneAnswer claim(const ZoneOwner& owner, const Initialise& initialise);

  [[nodiscard]] const std::string& name() const { return zone_.name; }
  [[nodiscard]] std::span<std::byte> memory() const;
  [[nodiscard]] const std::uint64_t* unclean_ends() const { return &header_->unclean_ends; }

  // Leases, 0 to kZoneLeases - 1, for 1 ms to kLongestZoneLease. `holder` is any address that tells
  // those who ask in this process apart.
  [[nodiscard]] bool take_lease(std::size_t index, const void* holder, Millis now, Millis length);
  // False: lost, by anybody's having taken it after its deadline.
  [[nodiscard]] bool keep_lease(std::size_t index, const void* holder, Millis now, Millis length);
  void give_back_lease(std::size_t index, const void* holder);
  void give_back_leases_of(const void* holder);

 private:
  // The exact word that was written tells one's own lease from that of a process that had the
  // same pid.
  struct Held {
    const void* holder = nullptr;
    std::uint64_t word = 0;
  };

  ZoneMapping(ZoneHeritage zone, void* memory);
  [[nodiscard]] ZoneState state() const;
  void set_state(ZoneState state);
  [[nodiscard]] Result<ZoneInfo> info() const;
  Result<std::string> initialise_once(const ZoneOwner& owner, const Initialise& initialise);
  Status initialise_now(const ZoneOwner& owner, const Initialise& initialise);
  Status clear_memory();
  bool replace_lease(std::size_t index, std::uint64_t from, const Held& to);

  const ZoneHeritage zone_;
  ZoneHeader* header_;
  std::array<Held, kZoneLeases> held_{};
};

// The zones of this worker's configuration; each is mapped when it is first asked for.
class ZoneMappings {
 public:
  explicit ZoneMappings(const std::vector<ZoneHeritage>& zones) : zones_(zones) {}

  struct Opened {
    ZoneMapping* zone = nullptr;  // null when refused
    ZoneAnswer answer;
  };
  [[nodiscard]] Opened open(const std::string& name, const ZoneOwner& owner,
                            const ZoneMapping::Initialise& initialise);
  // The zone whose memory begins there; null: none.
  [[nodiscard]] ZoneMapping* find(const void* memory) const;
  void give_back_leases_of(const void* holder);

 private:
  [[nodiscard]] Result<ZoneMapping*> mapping_of(const ZoneHeritage& zone);

  const std::vector<ZoneHeritage>& zones_;
  std::vector<std::unique_ptr<ZoneMapping>> mapped_;
};

}  // namespace drover

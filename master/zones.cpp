#include "master/zones.h"

#include <fmt/format.h>

#include "common/units.h"

namespace drover {
namespace {

std::string where(const ZoneSettings& settings) {
  return fmt::format("{}: [zone {}] size", settings.source.to_string(), settings.name);
}

Status check_size(const ZoneSettings& wanted, const Zone& living) {
  const ZoneSettings& has = living.settings();
  if (wanted.size_bytes == has.size_bytes) return Done{};
  return Error(fmt::format(
      "{}: {} differs from {}, which the zone has since {}; a zone keeps its size as long as a "
      "generation uses it, or rollback_window keeps one that did",
      where(wanted), format_size(wanted.size_bytes), format_size(has.size_bytes),
      has.source.to_string()));
}

Result<std::shared_ptr<Zone>> make(const ZoneSettings& settings) {
  auto fd = make_zone(settings.name, settings.size_bytes);
  if (!fd.ok()) return std::move(fd).error().in(where(settings));
  return std::make_shared<Zone>(settings, std::move(fd).value());
}

}  // namespace

ZoneHeritage Zone::heritage() const {
  return {settings_.name, fd_.get(), settings_.size_bytes, settings_.preallocate};
}

// Whatever a worker has written there: never lower than this master's own count.
void Zone::count_unclean_end() {
  const auto counted = drover::count_unclean_end(fd_.get(), unclean_ends_);
  unclean_ends_ = counted.ok() ? counted.value() : unclean_ends_ + 1;
}

void Zones::inherit(Inheritance& inheritance, bool was_unwatched) {
  for (const MasterHeritage::Zone& zone : inheritance.heritage().zones) {
    ZoneSettings settings;
    settings.name = zone.name;
    settings.size_bytes = zone.size_bytes;
    UniqueFd fd = inheritance.claim(zone.fd);
    const auto info = read_zone_header(fd.get(), zone.size_bytes);
    const std::uint64_t ends = info.ok() ? info.value().unclean_ends : 0;
    inherited_.push_back(std::make_shared<Zone>(settings, std::move(fd), ends));
    zones_[zone.name] = inherited_.back();
    if (was_unwatched) inherited_.back()->count_unclean_end();
  }
}

void Zones::count_unclean_end() {
  for (const auto& [name, zone] : zones_) {
    if (const auto living = zone.lock()) living->count_unclean_end();
  }
}

std::vector<ZoneHeritage> Zones::living() const {
  std::vector<ZoneHeritage> all;
  for (const auto& [name, zone] : zones_) {
    if (const auto living = zone.lock()) all.push_back(living->heritage());
  }
  return all;
}

Status Zones::check(const Settings& settings) const {
  for (const ZoneSettings& wanted : settings.zones) {
    const auto living = zones_.find(wanted.name);
    const auto zone = living == zones_.end() ? nullptr : living->second.lock();
    if (zone != nullptr) DROVER_TRY_DO(check_size(wanted, *zone));
  }
  return Done{};
}

Result<ZoneSet> Zones::open(const Settings& settings) {
  DROVER_TRY_DO(check(settings));
  std::erase_if(zones_, [](const auto& entry) { return entry.second.expired(); });
  ZoneSet set;
  for (const ZoneSettings& wanted : settings.zones) {
    std::shared_ptr<Zone> zone = zones_[wanted.name].lock();
    if (zone == nullptr) {
      DROVER_TRY(zone, make(wanted));
    }
    zones_[wanted.name] = zone;
    set.push_back(std::move(zone));
  }
  return set;
}

}  // namespace drover

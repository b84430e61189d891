#include "worker/module_zones.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "worker/module_host.h"
#include "worker/server.h"
#include "worker/zone_lease.h"
#include "worker/zone_mapping.h"

namespace drover {
namespace {

static_assert(static_cast<int>(ZoneVerdict::kGranted) == DROVER_ZONE_GRANTED);
static_assert(static_cast<int>(ZoneVerdict::kUnknown) == DROVER_ZONE_UNKNOWN);
static_assert(static_cast<int>(ZoneVerdict::kOtherModule) == DROVER_ZONE_OF_ANOTHER_MODULE);
static_assert(static_cast<int>(ZoneVerdict::kOtherLayout) == DROVER_ZONE_OF_ANOTHER_LAYOUT);
static_assert(static_cast<int>(ZoneVerdict::kDamaged) == DROVER_ZONE_DAMAGED);
static_assert(static_cast<int>(ZoneVerdict::kFailed) == DROVER_ZONE_FAILED);
static_assert(kZoneLeases == DROVER_ZONE_LEASES);
static_assert(kLongestZoneLease.count() == DROVER_LONGEST_LEASE);
// These have not grown yet. When they do, copy what the module's `size` covers.
static_assert(sizeof(drover_zone_layout) == 5 * sizeof(std::uint64_t));
static_assert(sizeof(drover_zone) == 4 * sizeof(std::uint64_t));

// Logged as the module's own words are, so that a worker that cannot start says them.
drover_zone_result refuse(drover_context* context, const char* name, drover_zone_result result,
                          const std::string& reason) {
  const std::string text = fmt::format("zone {} refused: {}", name, reason);
  module_host().log(context, DROVER_LOG_ERROR, text.c_str());
  return result;
}

// A module that asks for a zone inside of its initialisation is told that it is not the time: it
// would wait for itself.
bool initialise(Server& server, const drover_zone_layout& layout, std::span<std::byte> memory) {
  if (layout.initialise == nullptr) return true;
  server.is_starting = false;
  const int failed = layout.initialise(layout.argument, memory.data(), memory.size());
  server.is_starting = true;
  return failed == 0;
}

ZoneMapping* find(drover_context* context, const drover_zone* zone) {
  const ZoneMappings* zones = context->server->zones;
  return zones == nullptr ? nullptr : zones->find(zone->memory);
}

}  // namespace

drover_zone_result module_zone(drover_context* context, const char* name,
                               const drover_zone_layout* layout, drover_zone* out) {
  Server& server = *context->server;
  if (!server.is_starting || server.zones == nullptr) {
    return refuse(context, name, DROVER_ZONE_NOT_NOW,
                  "asked for outside of worker_init and helper_init");
  }
  if (layout->size < sizeof *layout || out->size < sizeof *out) {
    return refuse(context, name, DROVER_ZONE_FAILED, "the module gave a struct without its size");
  }
  const auto opened = server.zones->open(
      name, {server.module.name, layout->version, layout->type_sizes},
      [&](std::span<std::byte> memory) { return initialise(server, *layout, memory); });
  if (opened.zone == nullptr) {
    return refuse(context, name, static_cast<drover_zone_result>(opened.answer.verdict),
                  opened.answer.reason);
  }
  if (!opened.answer.reason.empty()) {
    const std::string text =
        fmt::format("zone {}: stored contents dropped: {}", name, opened.answer.reason);
    module_host().log(context, DROVER_LOG_WARNING, text.c_str());
  }
  out->memory = opened.zone->memory().data();
  out->memory_size = opened.zone->memory().size();
  out->unclean_ends = opened.zone->unclean_ends();
  return DROVER_ZONE_GRANTED;
}

int module_lease_take(drover_context* context, const drover_zone* zone, uint32_t index,
                      uint32_t milliseconds) {
  ZoneMapping* mapping = find(context, zone);
  return mapping != nullptr &&
         mapping->take_lease(index, context->server, monotonic_now(), Millis{milliseconds});
}

int module_lease_keep(drover_context* context, const drover_zone* zone, uint32_t index,
                      uint32_t milliseconds) {
  ZoneMapping* mapping = find(context, zone);
  return mapping != nullptr &&
         mapping->keep_lease(index, context->server, monotonic_now(), Millis{milliseconds});
}

void module_lease_give_back(drover_context* context, const drover_zone* zone, uint32_t index) {
  if (ZoneMapping* mapping = find(context, zone)) mapping->give_back_lease(index, context->server);
}

}  // namespace drover

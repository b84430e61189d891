// The host functions for zones and their leases.
#pragma once

#include "modules/sdk/drover_module.h"

namespace drover {

drover_zone_result module_zone(drover_context* context, const char* name,
                               const drover_zone_layout* layout, drover_zone* out);
int module_lease_take(drover_context* context, const drover_zone* zone, uint32_t index,
                      uint32_t milliseconds);
int module_lease_keep(drover_context* context, const drover_zone* zone, uint32_t index,
                      uint32_t milliseconds);
void module_lease_give_back(drover_context* context, const drover_zone* zone, uint32_t index);

}  // namespace drover

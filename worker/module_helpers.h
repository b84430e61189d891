// The host functions for helpers, and the beginning of a helper's instance.
#pragma once

#include <string>

#include "common/result.h"
#include "modules/sdk/drover_module.h"
#include "worker/module_image.h"
#include "worker/server.h"

namespace drover {

int module_want_helper(drover_context* context, const char* name);
void module_ring_helper(drover_context* context, const char* name);

// The module as a helper's process has it: the helper's hooks in the place of those that a worker's
// instance has, and no others. So timers, doorbell and end are what they are in a worker.
[[nodiscard]] ModuleTable helper_side(const ModuleTable& module);

// Calls helper_init of `module`; an error says which server and, if the module logged why, its
// words. `server` has the module's helper_side.
[[nodiscard]] Status start_helper(Server& server, const ModuleTable& module,
                                  const std::string& name);

}  // namespace drover

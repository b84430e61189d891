// The role of a module's helper: one process for one server, with a loop and no connections, for
// work that may block.
#pragma once

#include "common/heritage.h"

namespace drover {

// A helper's whole life: loads the modules, begins its own (Heritage::slot says which), tells the
// master it is ready, works from kServe on, and leaves when told, on SIGTERM, or, when the master
// has gone, after the last worker of its generation (at once when that never served). Exit status
// 0, or 1 when it could not start.
int helper_main(const Heritage& heritage);

}  // namespace drover

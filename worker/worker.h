// The role that serves: one loop, one thread, the modules' instances, the connections.
#pragma once

#include "common/heritage.h"

namespace drover {

// A worker's whole life: loads modules, tells the master it is ready, serves from kServe on, drains
// when told, when the master has gone or on SIGTERM, and returns when the last connection has
// ended: 0, or 1 when it could not start.
int worker_main(const Heritage& heritage);

}  // namespace drover

// The acceptor's life: one process a generation that accepts for all its servers with accept =
// acceptor and passes the connections to the workers. Born by fork from the master, obeys the
// channel like a worker.
#pragma once

#include "common/heritage.h"

namespace drover {

// Returns the exit status: 0 after a drain that passed on all it had accepted, 1 when the deadline
// came first.
[[nodiscard]] int acceptor_main(const Heritage& heritage);

}  // namespace drover

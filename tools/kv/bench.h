// bench: a bounded load on many connections from one thread, and how long answers took.
#pragma once

#include "tools/kv/commands.h"

namespace drover::kv {

Result<Exit> run_bench(const Options& options);

}  // namespace drover::kv

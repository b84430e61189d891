// load: a file, or standard input, into the store.
#pragma once

#include "tools/kv/commands.h"

namespace drover::kv {

Result<Exit> run_load(const Options& options);

}  // namespace drover::kv

// scan and dump: what lies in the store, page by page.
#pragma once

#include "tools/kv/commands.h"

namespace drover::kv {

Result<Exit> run_scan(const Options& options);
Result<Exit> run_dump(const Options& options);

}  // namespace drover::kv

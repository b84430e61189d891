// The configuration as the master uses it: what the files say, then what the command line says,
// then what depends on the binary that runs.
#pragma once

#include "common/config.h"
#include "master/options.h"

namespace drover {

// load_config(), -e, and the default of module_dir: "modules" beside the binary for one in a build
// tree, else /usr/lib/drover/modules.
[[nodiscard]] ConfigResult load_settings(const Options& options);

}  // namespace drover

// A module's shared object in this process: opened from the sealed image that the master made, its
// contract checked. Validator and workers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/heritage.h"
#include "common/result.h"
#include "modules/sdk/drover_module.h"
#include "worker/module_directives.h"
#include "worker/module_metrics.h"

namespace drover {

// The contract's struct; its exported constant has the same name, so the bare word would mean the
// constant.
using ModuleTable = struct ::drover_module;

// What the module exports, fields beyond the module's own `size` zeroed. Its strings and functions
// lie in the shared object, which stays open until the process ends: exit handlers of the module
// may lie in it.
struct LoadedModule {
  ModuleTable table{};
  DirectiveTable directives;
  Metrics metrics;
  void* object = nullptr;  // dlopen's
};

// An error names the module, its file and what is wrong: not a shared object, no symbol, other ABI,
// wrong size, a directive or a metric that cannot be.
[[nodiscard]] Result<LoadedModule> load_module(const ModuleImageHeritage& image);

// All modules of the heritage, in order, each noted in the process's crash report.
[[nodiscard]] Result<std::vector<LoadedModule>> load_modules(const Heritage& heritage);

// The one of that name; null when it is not loaded.
[[nodiscard]] const LoadedModule* find_module(const std::vector<LoadedModule>& modules,
                                              std::string_view name);

// The checks of load_module() apart from dlopen: `table` is what was found under the exported name.
[[nodiscard]] Result<ModuleTable> check_module_table(const ModuleTable& table);

// One line for `drover -m`: "echo 0.1.0 abi=1 build-id=ab12 file=/…/echo.so", with its
// end.
[[nodiscard]] Result<std::string> describe_module(const ModuleImageHeritage& image);

// For `drover --directives`: a line for each of the module's directives, none when it has none.
[[nodiscard]] Result<std::string> describe_directives(const ModuleImageHeritage& image);

}  // namespace drover

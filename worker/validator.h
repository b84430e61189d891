// The role that tries a configuration's modules before anything else is forked: short-lived,
// unprivileged.
#pragma once

#include <string>
#include <vector>

#include "common/heritage.h"
#include "worker/module_image.h"

namespace drover {

// Loads every module of the heritage, checks the servers and their directives against them, lets
// each module check the servers of its protocol (kTrying before each step that runs a module's
// code), and tells the master which helpers they want and kReady, or kFailed with all that is
// wrong. Exit status 0 or 1.
int validator_main(const Heritage& heritage);

// What is wrong between modules that could be loaded and the servers that name them, values of
// directives included; empty: nothing.
[[nodiscard]] std::vector<std::string> check_servers(const Settings& settings,
                                                     const std::vector<LoadedModule>& modules);

}  // namespace drover

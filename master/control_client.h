// `drover -s CMD`: asks the running master over its control socket and prints what it says; where
// nobody answers, falls back to the signal that means the same, sent to the pid in the pid file.
#pragma once

#include <string>

#include "common/config.h"

namespace drover {

// Prints the answer; returns the exit status.
int run_command(const ControlPaths& paths, const std::string& command, bool is_quiet);

}  // namespace drover

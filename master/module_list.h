// `drover -m` and `drover --directives`: the modules of a folder, each described by a process of
// its own, so that one that crashes when loaded costs its lines and nothing else.
#pragma once

#include <string>

#include "common/heritage.h"
#include "common/result.h"

namespace drover {

// Gives whole lines.
using DescribeModule = Result<std::string> (*)(const ModuleImageHeritage&);

// Prints what is said of each module; returns the exit status, 1 when one cannot be used.
int list_modules(const std::string& folder, DescribeModule describe);

}  // namespace drover

// `drover -m`: the modules of a folder, each described by a process of its own, so that one that
// crashes when loaded costs its line and nothing else.
#pragma once

#include <string>

#include "common/heritage.h"
#include "common/result.h"

namespace drover {

using DescribeModule = Result<std::string> (*)(const ModuleImageHeritage&);

// Prints a line a module; returns the exit status, 1 when one cannot be used.
int list_modules(const std::string& folder, DescribeModule describe);

}  // namespace drover

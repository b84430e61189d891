// Reads a configuration with all that it includes into one list of lines, and lays the command
// line's -g over it.
#pragma once

#include <string>
#include <vector>

#include "common/config.h"
#include "common/config_file.h"

namespace drover {

inline constexpr std::size_t kDeepestInclude = 8;  // files within files
inline constexpr std::size_t kMostConfigFiles = 1000;

// `include =` in [drover] is replaced by the lines of the files it matches, sorted by name. A
// pattern with * ? or [ may match nothing. Refused: loops, more than kDeepestInclude levels, more
// than kMostConfigFiles files. `path` as it is opened and named in messages; relative includes are
// under `prefix`.
[[nodiscard]] ConfigText read_config_tree(const std::string& path, const std::string& prefix);

// Replaces what the files say about each overridden directive. The section must exist; [drover]
// always does.
void apply_overrides(const std::vector<Override>& overrides, ConfigText& text);

}  // namespace drover

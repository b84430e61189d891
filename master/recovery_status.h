// What `drover -s status` says about crashes, quarantine and the way back to the former generation.
#pragma once

#include <string>

#include "master/recovery.h"

namespace drover {

// The members "modules" and "rollback", without braces around them.
[[nodiscard]] std::string recovery_json(const Recovery& recovery);
// Lines for people; of modules only those that have failed.
[[nodiscard]] std::string recovery_lines(const Recovery& recovery);

}  // namespace drover

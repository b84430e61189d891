// Taking over from orphans: a daemon that starts where another's master has died asks at the
// control socket, and an orphan answers with the heritage.
#pragma once

#include <optional>
#include <string>

#include "common/master_heritage.h"

namespace drover {

struct Adoption {
  Inheritance inheritance;
  UniqueFd channel;  // to the orphan, who is told when this master serves
};

// Nothing when nobody listens there. An error when somebody does who does not give it: a living
// master ("already running, pid N"), another that is taking over, or one who is silent.
[[nodiscard]] Result<std::optional<Adoption>> ask_for_heritage(const std::string& control_path);

}  // namespace drover

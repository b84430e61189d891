// The tables of directives: what may stand in [drover], [server NAME] and [zone NAME]. Parser,
// range check, defaults, `drover --directives`, and the checks of the manual and of
// conf/drover.conf all read these rows.
#pragma once

#include <string>
#include <vector>

#include "common/directive.h"

namespace drover {

// Followed by the reader (common/config_tree.h), so its row sets nothing.
inline constexpr const char* kIncludeDirective = "include";

[[nodiscard]] const std::vector<Directive<Settings>>& drover_directives();
[[nodiscard]] const std::vector<Directive<ServerSettings>>& server_directives();
[[nodiscard]] const std::vector<Directive<ZoneSettings>>& zone_directives();

}  // namespace drover

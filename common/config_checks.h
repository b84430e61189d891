// What must hold between directives, beyond what each row of the tables checks alone.
#pragma once

#include "common/config_builder.h"
#include "common/config_messages.h"
#include "common/settings.h"

namespace drover {

void check_settings(const Settings& settings, const FirstSources& sources,
                    ConfigMessages& messages);

}  // namespace drover

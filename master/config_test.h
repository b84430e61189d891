// `drover -t`: what a reload would check before it opens or forks anything: the files, then the
// modules in a validator.
#pragma once

#include "common/settings.h"
#include "master/context.h"
#include "master/options.h"

namespace drover {

// Says what it found (and the configuration in force with -T); returns the exit status.
int test_config(const Options& options, const Settings& settings, const RoleMains& roles);

}  // namespace drover

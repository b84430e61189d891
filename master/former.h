// What a generation was made of, kept for as long as the master may return to it: its settings, its
// modules as they were loaded, and its zones.
#pragma once

#include <cstdint>
#include <string>

#include "common/master_heritage.h"
#include "common/result.h"
#include "common/settings.h"
#include "master/generation.h"
#include "master/module_images.h"
#include "master/zones.h"

namespace drover {

struct Former {
  std::uint32_t generation = 0;
  Settings settings;
  ModuleImages images;
  ZoneSet zones;
};

[[nodiscard]] Former former_of(const Generation& generation);

// For the heritage of an upgrade; the descriptors stay the former's.
[[nodiscard]] MasterHeritage::Former leave(const Former& former);
// What a predecessor left, which has left one: with the zones that it names, which have been
// inherited already. An error when this version cannot read the settings. Relative paths are under
// `prefix`.
[[nodiscard]] Result<Former> take_former(Inheritance& inheritance, Zones& zones,
                                         const std::string& prefix);

}  // namespace drover

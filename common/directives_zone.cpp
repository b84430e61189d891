// The directives of [zone NAME].
#include "common/directives.h"

namespace drover {
namespace {

constexpr SizeRange kZoneSize{.min = 4096, .max = std::int64_t{1} << 40};

}  // namespace

const std::vector<Directive<ZoneSettings>>& zone_directives() {
  static const std::vector<Directive<ZoneSettings>> kRows = {
      size("size", &ZoneSettings::size_bytes, kZoneSize, "bytes of shared memory").as_required(),
      flag("preallocate", &ZoneSettings::preallocate, "take all of the memory at start"),
      choice<ZoneSettings, bool>(
          "keep", &ZoneSettings::keep_required, {{"optional", false}, {"required", true}},
          "what to do at start with a stored zone that does not fit: drop it, or refuse"),
  };
  return kRows;
}

}  // namespace drover

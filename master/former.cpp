#include "master/former.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/config.h"

namespace drover {
namespace {

// The reader of configurations reads files.
Result<Settings> read_settings(const std::string& text, const std::string& prefix) {
  const UniqueFd file(memfd_create("drover-former", MFD_CLOEXEC));
  if (!file.is_open()) return Error::from_errno("memfd_create");
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return Error::from_errno("copy to memory");
  ConfigResult config = load_config({fmt::format("/proc/self/fd/{}", file.get()), prefix, {}});
  if (!config.ok()) return Error(config.errors.front());
  return std::move(config.settings);
}

}  // namespace

Former former_of(const Generation& generation) {
  return {generation.number(), generation.settings(), generation.kept_images(), generation.zones()};
}

MasterHeritage::Former leave(const Former& former) {
  MasterHeritage::Former left{former.generation, dump_settings(former.settings), {}};
  for (const ModuleImage& image : *former.images)
    left.modules.push_back({image.name, image.path, image.build_id, image.fd.get()});
  return left;
}

Result<Former> take_former(Inheritance& inheritance, Zones& zones, const std::string& prefix) {
  const MasterHeritage::Former& left = *inheritance.heritage().former;
  std::vector<ModuleImage> images;
  for (const MasterHeritage::Module& module : left.modules)
    images.push_back({module.name, module.path, module.build_id, inheritance.claim(module.fd)});
  Former former{left.generation, {}, {}, {}};
  DROVER_TRY(former.settings, read_settings(left.settings, prefix));
  DROVER_TRY(former.zones, zones.open(former.settings));
  former.images = std::make_shared<const std::vector<ModuleImage>>(std::move(images));
  return former;
}

}  // namespace drover

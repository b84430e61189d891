// Copies of the modules' files, made when a generation begins: a sealed memfd each, so that the
// generation runs one code whatever happens to the file on disk (cp over a mapped .so kills its
// processes). The master reads, it never loads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/heritage.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

struct ModuleImage {
  std::string name;      // as configured
  std::string path;      // where it was read
  std::string build_id;  // hex, empty: none
  UniqueFd fd;

  [[nodiscard]] ModuleImageHeritage heritage() const { return {name, path, build_id, fd.get()}; }
};

// Of one generation, or of several that run the same.
using ModuleImages = std::shared_ptr<const std::vector<ModuleImage>>;

// `load` is a name in `module_dir` or a path (it has a slash).
Result<ModuleImage> copy_module(const std::string& load, const std::string& module_dir);
Result<std::vector<ModuleImage>> copy_modules(const Settings& settings);

}  // namespace drover

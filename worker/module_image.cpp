#include "worker/module_image.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "common/directive_text.h"
#include "worker/crash_report.h"

namespace drover {
namespace {

// The fields of the first ABI up to the one constructor; what a later SDK adds may be missing.
constexpr std::size_t kLeastSize = offsetof(ModuleTable, worker_init) + sizeof(void*);
constexpr std::size_t kLargestSize = 4096;  // beyond it `size` is no size
constexpr std::size_t kLargestState = std::size_t{1024} * 1024;

struct Close {
  void operator()(void* object) const { dlclose(object); }
};

Result<LoadedModule> open_image(const ModuleImageHeritage& image) {
  const std::string path = fmt::format("/proc/self/fd/{}", image.fd);
  // What is refused is closed: dlopen compares names first, and the next image may get this number.
  std::unique_ptr<void, Close> object(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (object == nullptr) return Error(dlerror());
  const void* symbol = dlsym(object.get(), "drover_module");
  if (symbol == nullptr) {
    return Error("exports no drover_module; a module ends with DROVER_MODULE(...)");
  }
  LoadedModule loaded;
  DROVER_TRY(loaded.table, check_module_table(*static_cast<const ModuleTable*>(symbol)));
  DROVER_TRY(loaded.directives, read_directive_table(loaded.table));
  DROVER_TRY(loaded.metrics, read_metric_table(loaded.table));
  loaded.object = object.release();
  return loaded;
}

}  // namespace

Result<ModuleTable> check_module_table(const ModuleTable& table) {
  // One that ends in the middle of a field is none: half a pointer would be called.
  const bool is_whole = table.size % alignof(ModuleTable) == 0;
  if (table.size < kLeastSize || table.size > kLargestSize || !is_whole) {
    return Error(fmt::format("its drover_module says it has {} bytes, expected {}", table.size,
                             sizeof table));
  }
  if (table.abi != DROVER_ABI) {
    return Error(fmt::format("built for ABI {}, this drover has ABI {}: rebuild the module",
                             table.abi, DROVER_ABI));
  }
  ModuleTable copy{};
  std::memcpy(&copy, &table, std::min(table.size, sizeof copy));
  if (copy.name == nullptr || !is_plain_name(copy.name))
    return Error("its name is missing or not letters, digits, - and _");
  if (copy.version == nullptr) copy.version = "unknown";
  if ((copy.freeze == nullptr) != (copy.thaw == nullptr))
    return Error("has only one of freeze and thaw");
  if (copy.conn_state_size > kLargestState) {
    return Error(fmt::format("wants {} bytes of state a connection, at most {} are given",
                             copy.conn_state_size, kLargestState));
  }
  return copy;
}

Result<LoadedModule> load_module(const ModuleImageHeritage& image) {
  auto loaded = open_image(image);
  if (!loaded.ok()) {
    return std::move(loaded).error().in(fmt::format("module {} ({})", image.name, image.origin));
  }
  return loaded;
}

Result<std::vector<LoadedModule>> load_modules(const Heritage& heritage) {
  std::vector<LoadedModule> modules;
  for (const ModuleImageHeritage& image : heritage.modules) {
    DROVER_TRY(LoadedModule loaded, load_module(image));
    record_module(heritage.my_seat().crash, image.origin, loaded.table.name);
    modules.push_back(std::move(loaded));
  }
  return modules;
}

const LoadedModule* find_module(const std::vector<LoadedModule>& modules, std::string_view name) {
  const auto found = std::ranges::find_if(
      modules, [&](const LoadedModule& module) { return module.table.name == name; });
  return found == modules.end() ? nullptr : &*found;
}

Result<std::string> describe_module(const ModuleImageHeritage& image) {
  DROVER_TRY(const LoadedModule loaded, load_module(image));
  const std::unique_ptr<void, Close> object(loaded.object);
  return fmt::format("{} {} abi={} build-id={} file={}\n", loaded.table.name, loaded.table.version,
                     loaded.table.abi, image.build_id.empty() ? "none" : image.build_id,
                     image.origin);
}

Result<std::string> describe_directives(const ModuleImageHeritage& image) {
  DROVER_TRY(const LoadedModule loaded, load_module(image));
  const std::unique_ptr<void, Close> object(loaded.object);
  return list_directives(loaded.directives);
}

}  // namespace drover

// What one server says to its module: the values of its directives, defaults included. The
// validator reads them to tell the errors, each worker to hand them to the module.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/settings.h"
#include "worker/module_directives.h"

namespace drover {

class ModuleConfig {
 public:
  void set(const std::string& name, DirectiveValue value) { values_[name] = std::move(value); }
  // `name` without the module's; null for one that is not in its table. A value stays where it is
  // when this is moved.
  [[nodiscard]] const DirectiveValue* find(std::string_view name) const;

 private:
  std::map<std::string, DirectiveValue, std::less<>> values_;
};

struct ReadModuleConfig {
  ModuleConfig config;              // complete only without errors
  std::vector<std::string> errors;  // all: "file:line: [server NAME] MODULE.NAME: what is wrong"
};
// `settings` has the server: relative paths are under its prefix, its servers may be named.
[[nodiscard]] ReadModuleConfig read_module_config(const DirectiveTable& table,
                                                  const ServerSettings& server,
                                                  const Settings& settings);

// The same where the validator has found them good: all that is wrong is one error.
[[nodiscard]] Result<ModuleConfig> configure_module(const DirectiveTable& table,
                                                    const ServerSettings& server,
                                                    const Settings& settings);

}  // namespace drover

#include "master/recovery_status.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace drover {

// A module's name needs no quoting: letters, digits, - and _.
std::string recovery_json(const Recovery& recovery) {
  std::vector<std::string> modules;
  for (const auto& [name, record] : recovery.modules()) {
    modules.push_back(fmt::format(R"({{"name":"{}","crashes":{},"hangs":{},"quarantined":{}}})",
                                  name, record.crashes, record.hangs, record.is_quarantined));
  }
  const Recovery::Former* former = recovery.former();
  return fmt::format(
      R"("modules":[{}],"rollback":{{"window_left_ms":{},"former":{},"taken_back":{}}})",
      fmt::join(modules, ","), recovery.window_left().count(),
      former == nullptr ? 0 : former->generation, recovery.taken_back());
}

std::string recovery_lines(const Recovery& recovery) {
  std::string lines;
  for (const auto& [name, record] : recovery.modules()) {
    if (record.crashes + record.hangs == 0) continue;
    lines += fmt::format("module {}: crashes {}, hangs {}{}\n", name, record.crashes, record.hangs,
                         record.is_quarantined ? ", quarantined: mend it, then reload" : "");
  }
  if (const Recovery::Former* former = recovery.former()) {
    lines += fmt::format("rollback: to generation {} for another {} s\n", former->generation,
                         recovery.window_left().count() / 1000);
  }
  if (recovery.taken_back() != 0)
    lines += fmt::format("rollback: generation {} was taken back\n", recovery.taken_back());
  return lines;
}

}  // namespace drover

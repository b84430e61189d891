// A reload's report for programs and for people.
#pragma once

#include <string>

#include "master/reload_report.h"

namespace drover {

// One object, without the end of the line.
[[nodiscard]] std::string report_json(const ReloadReport& report);
// Lines.
[[nodiscard]] std::string report_table(const ReloadReport& report);

}  // namespace drover

// Turns the crash report a dying process left in its seat into log lines. The report is read as
// hostile: the process that wrote it had lost its mind.
#pragma once

#include <string>

#include "common/log.h"
#include "common/scoreboard.h"

namespace drover {

// One line for the fault and one for each frame; nothing when there is no report.
void log_crash(Log& log, const std::string& who, const CrashReport& report);

}  // namespace drover

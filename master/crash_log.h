// Turns the crash report a dying process left in its seat into text, for the log and for the
// status. The report is read as hostile: the process that wrote it had lost its mind.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/log.h"
#include "common/scoreboard.h"

namespace drover {

struct CrashDescription {
  std::string signal;  // "SEGV"
  std::uint64_t address = 0;
  std::string module;               // of the innermost frame that lies in one; empty: none
  std::vector<std::string> frames;  // "0x7f.. function+0x12", bounded in number and length
};

// Nothing when there is no report.
[[nodiscard]] std::optional<CrashDescription> describe_crash(const CrashReport& report);

// One line for the fault and one for each frame.
void log_crash(Log& log, const std::string& who, const CrashDescription& crash);

}  // namespace drover

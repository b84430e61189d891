// Whose fault it was that a worker ended badly, from what it left behind. All of that is the dead
// process's own word and is read as hostile: the name of a module counts only if a server has it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/scoreboard.h"
#include "common/settings.h"

namespace drover {

// A worker that did not end in order.
struct WorkerLoss {
  std::string module;  // to blame, as servers name it in `protocol`; empty: nobody knows
  bool was_hung = false;
};

// Of what a report says, so much as it may have.
[[nodiscard]] std::span<const std::uint64_t> frames_of(const CrashReport& report);
[[nodiscard]] std::string_view noted(const ModuleRange::Name& name);
// Where the address lies; null: in no module.
[[nodiscard]] const ModuleRange* module_at(const CrashReport& report, std::uint64_t address);

// A crash is the fault of the module of the innermost frame that lies in one, or else, when the
// stack was lost, of the one whose hook ran; a hang only of the latter. SIGKILL that was not ours
// is the operator's, or the kernel's for want of memory.
[[nodiscard]] WorkerLoss blame(const Seat& seat, bool was_hung, int wait_status,
                               const Settings& settings);

}  // namespace drover

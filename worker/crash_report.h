// What a dying process leaves behind: signal, fault address and raw return addresses, written to
// its seat by a handler that touches nothing but that memory. The master symbolises and logs them.
#pragma once

#include <string_view>

#include "common/scoreboard.h"

namespace drover {

// From here on a fatal signal (SEGV BUS ILL FPE ABRT SYS) is recorded in `report`, which must live
// as long as the process, and then kills the process as it would have without us. Once per process,
// before it says READY: the first backtrace loads libgcc, which a signal handler must not do.
void install_crash_handler(CrashReport& report);

// Notes where the shared object lies that holds its module's `name`, so that frames in it are told
// as its file's name and offset, which addr2line(1) takes, and a crash in it is the module's.
// Beyond kCrashModules they stay bare addresses.
void record_module(CrashReport& report, std::string_view path, const char* name);

}  // namespace drover

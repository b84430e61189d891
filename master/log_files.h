// Opens what the configuration says to log to. Only the master opens log files; children get the
// descriptors.
#pragma once

#include <vector>

#include "common/log.h"
#include "common/settings.h"

namespace drover {

// stderr when nothing is configured and the master is in the foreground, syslog in the background.
[[nodiscard]] LogTarget error_log_target(const Settings& settings, bool foreground);
// The log as it is to be used from now on.
Result<Log> open_error_log(const LogTarget& target);
// A file to be appended to, mode 0640.
Result<UniqueFd> open_log_file(const std::string& path);
// By server; not open where a server has no access log.
Result<std::vector<UniqueFd>> open_access_logs(const Settings& settings);

}  // namespace drover

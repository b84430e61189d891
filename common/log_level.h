// The severities of the error log, most severe first.
#pragma once

namespace drover {

enum class LogLevel { kError, kWarning, kNotice, kInfo, kDebug };

}  // namespace drover

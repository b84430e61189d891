#include "master/error_log.h"

#include <utility>

#include "master/log_files.h"

namespace drover {

ErrorLog::ErrorLog(Log log, const Settings& settings, bool is_foreground)
    : is_foreground_(is_foreground),
      current_{std::move(log), error_log_target(settings, is_foreground)} {}

Status ErrorLog::take(const Settings& settings) {
  former_.reset();
  const LogTarget target = error_log_target(settings, is_foreground_);
  if (target == current_.target) return Done{};
  DROVER_TRY(Log log, open_error_log(target));
  former_ = std::exchange(current_, Opened{std::move(log), target});
  return Done{};
}

void ErrorLog::put_back() {
  if (!former_) return;
  current_ = std::move(*former_);
  former_.reset();
}

Result<Log> ErrorLog::open_again() const { return open_error_log(current_.target); }

}  // namespace drover

// The error log in force and the way from one to the next. Processes are born with the log in
// force, so the one that a new generation names is in force before that generation begins; when it
// fails, the former one is put back.
#pragma once

#include <optional>

#include "common/log.h"
#include "common/result.h"
#include "common/settings.h"

namespace drover {

class ErrorLog {
 public:
  // `log` is what was opened for these settings.
  ErrorLog(Log log, const Settings& settings, bool is_foreground);
  ErrorLog(const ErrorLog&) = delete;
  ErrorLog& operator=(const ErrorLog&) = delete;

  // Whichever log is in force is at this address.
  [[nodiscard]] Log& log() { return current_.log; }

  // Puts the log in force that a new generation's settings name; an error changes nothing.
  Status take(const Settings& settings);
  // That generation serves.
  void keep() { former_.reset(); }
  // That generation has failed.
  void put_back();

  // The log in force opened a second time, for use(). Two steps, because logs are reopened all or
  // none.
  [[nodiscard]] Result<Log> open_again() const;
  void use(Log log) { current_.log = std::move(log); }

 private:
  struct Opened {
    Log log;
    LogTarget target;
  };

  bool is_foreground_;
  Opened current_;
  std::optional<Opened> former_;  // while the generation with the current one is built
};

}  // namespace drover

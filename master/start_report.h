// Daemon mode's true exit status: the process the user started waits until the master serves or has
// failed, prints why, and exits with that. In the foreground there is nobody to tell.
#pragma once

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

class StartReport {
 public:
  StartReport() = default;  // nobody to tell: the log goes to the terminal
  // In the foreground with the log elsewhere: a failure is told on stderr.
  static StartReport to_terminal();

  // Forks twice into the background (daemon(7)). Returns in the daemon only; the parent waits and
  // exits.
  static Result<StartReport> daemonize();

  // The daemon serves: the parent exits with 0 and the daemon lets go of the terminal. No effect
  // the second time.
  void succeed();
  // The parent prints the text and exits with 1.
  void fail(const std::string& why);

 private:
  StartReport(UniqueFd pipe, bool has_parent) : pipe_(std::move(pipe)), has_parent_(has_parent) {}
  UniqueFd pipe_;  // to the parent, or a copy of stderr
  bool has_parent_ = false;
};

}  // namespace drover

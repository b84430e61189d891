// Daemon mode's true exit status: the process the user started waits until the master serves or has
// failed, prints why, and exits with that. In the foreground there is nobody to tell; in an upgrade
// it is the master that is to be replaced.
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

  // In an upgrade: a failure is told to the running master (kRefused). The channel stays the
  // caller's.
  static StartReport to_predecessor(int channel_fd);

  // Forks twice into the background (daemon(7)). Returns in the daemon only; the parent waits and
  // exits.
  static Result<StartReport> daemonize();

  // The daemon serves: the parent exits with 0 and the daemon lets go of the terminal. No effect
  // the second time.
  void succeed();
  // The parent prints the text and exits with 1.
  void fail(const std::string& why);

 private:
  enum class Audience { kNobody, kTerminal, kParent, kPredecessor };
  StartReport(UniqueFd fd, Audience audience) : fd_(std::move(fd)), audience_(audience) {}
  UniqueFd fd_;  // to the audience
  Audience audience_ = Audience::kNobody;
};

}  // namespace drover

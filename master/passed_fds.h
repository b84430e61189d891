// What systemd passes at a start (LISTEN_FDS): sockets of a socket unit, and what a former run of
// this service has given to its store: listening sockets and zones. They become the heritage of
// this start, as if a predecessor had left them.
#pragma once

#include <string>
#include <vector>

#include "common/master_heritage.h"
#include "common/result.h"
#include "common/settings.h"
#include "common/unique_fd.h"

namespace drover {

struct PassedFd {
  std::string name;
  UniqueFd fd;
};
// Once, before the process forks; takes them out of the environment.
[[nodiscard]] std::vector<PassedFd> take_passed_fds();

struct SortedFds {
  Inheritance inheritance;
  std::vector<std::string> warnings;  // of what is closed, or waits, because it is of no use
  std::vector<std::string> useless;   // stored listeners among that, by name
};
// An error: a socket unit that cannot be meant for a stream server, or a zone with keep = required
// that does not fit.
[[nodiscard]] Result<SortedFds> sort_passed_fds(std::vector<PassedFd> passed,
                                                const Settings& settings);

}  // namespace drover

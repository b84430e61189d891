// A program and everything it ever forks, however it daemonises: a keeper process between the test
// and the program is the subreaper of them all, so orphans stay its descendants. When the test
// process dies, the keeper kills them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/support/command.h"

namespace drover::test {

class ProcessGroup {
 public:
  // Starts the program with stdout and stderr appended to `log_path`.
  ProcessGroup(const std::vector<std::string>& argv, const Environment& extra,
               const std::string& log_path);
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  // Kills all that is left.
  ~ProcessGroup();

  // The program that was started; it may have exited.
  [[nodiscard]] pid_t program() const { return program_; }
  // Its exit status (128 + signal when it was killed), empty while it runs.
  [[nodiscard]] std::optional<int> program_status();
  // All living processes of the group, zombies not counted.
  [[nodiscard]] std::vector<pid_t> members() const;
  void kill_all();

 private:
  void read_reports();

  UniqueFd reports_;  // the keeper writes a record for each process it reaped
  pid_t keeper_ = -1;
  pid_t program_ = -1;
  std::optional<int> status_;
};

}  // namespace drover::test

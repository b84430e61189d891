// An access log, read back: a line that is not as the manual says is an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/wait.h"

namespace drover::test {

struct AccessLine {
  std::string time;
  std::string peer;
  std::string server;
  std::int64_t bytes_in = 0;
  std::int64_t bytes_out = 0;
  std::int64_t duration_ms = 0;
  std::string reason;
};

// The whole lines there are now; none when there is no such file. Throws at a malformed one.
[[nodiscard]] std::vector<AccessLine> read_access_log(const std::string& path);

// Waits for at least `count` lines (workers write them once a second) and returns all there are.
[[nodiscard]] std::vector<AccessLine> wait_for_access_lines(const std::string& path, size_t count,
                                                            Millis patience = kPatience);

}  // namespace drover::test

// A server's access log: one line a connection, gathered in memory and written in whole lines. The
// descriptor was opened by the master with O_APPEND, so that the lines of several workers do not
// mix.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

struct AccessEntry {
  std::chrono::system_clock::time_point time;  // when the connection ended
  std::string peer;
  std::string_view server;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::chrono::milliseconds duration{0};
  std::string_view reason;  // see to_string(drover_close_reason)
};

// "2024-05-01T12:00:00.123Z 127.0.0.1:5000 web in=12 out=12 ms=3 reason=peer", without the line's
// end.
[[nodiscard]] std::string format_access_line(const AccessEntry& entry);

class AccessLog {
 public:
  explicit AccessLog(UniqueFd fd) : fd_(std::move(fd)) {}

  // Notes a line; writes when enough have gathered.
  Status add(const AccessEntry& entry);
  // Writes what has gathered. On an error the lines are dropped: memory stays bounded when a disk
  // is full.
  Status flush();
  // After flush(): the next lines go to another file.
  void replace_fd(UniqueFd fd) { fd_ = std::move(fd); }

 private:
  UniqueFd fd_;
  std::string lines_;
};

}  // namespace drover

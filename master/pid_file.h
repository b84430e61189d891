// The pid file: written and locked for the master's life, so that a second start can say who is in
// the way.
#pragma once

#include <string>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

class PidFile {
 public:
  PidFile(PidFile&& other) noexcept = default;
  PidFile& operator=(PidFile&& other) = delete;
  ~PidFile();

  // Writes the caller's pid. An error names the pid that holds the file.
  static Result<PidFile> create(const std::string& path);

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

// The pid in the file, or an error when there is none or its process is not alive.
Result<int> read_pid_file(const std::string& path);

}  // namespace drover

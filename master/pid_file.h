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
  // One that a predecessor holds, with its lock; it says that one's pid until take_over().
  static PidFile inherit(const std::string& path, UniqueFd fd);
  Status take_over();
  // The file is a successor's now.
  void let_go() { fd_.reset(), is_ours_ = false; }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  PidFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;  // locked (flock(2)): the lock is the open file's, so a successor inherits it
  bool is_ours_ = false;
};

// The pid in the file, or an error when there is none or its process is not alive.
Result<int> read_pid_file(const std::string& path);

}  // namespace drover

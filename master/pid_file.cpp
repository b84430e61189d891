#include "master/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "common/fault.h"

namespace drover {

Result<PidFile> PidFile::create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.is_open()) return Error::from_errno("pid file " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    int holder = 0;
    std::ifstream(path) >> holder;
    return Error(fmt::format("already running: pid file {} is held by pid {}", path, holder));
  }
  PidFile file(path, std::move(fd));
  DROVER_TRY_DO(file.take_over());
  return file;
}

PidFile PidFile::inherit(const std::string& path, UniqueFd fd) { return {path, std::move(fd)}; }

Status PidFile::take_over() {
  if (fault("pid_file")) return Error::from_errno("pid file " + path_, ENOSPC);
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(fd_.get(), 0) != 0 ||
      pwrite(fd_.get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return Error::from_errno("pid file " + path_);
  }
  is_ours_ = true;
  return Done{};
}

PidFile::~PidFile() {
  if (fd_.is_open() && is_ours_) unlink(path_.c_str());
}

Result<int> read_pid_file(const std::string& path) {
  int pid = 0;
  std::ifstream file(path);
  if (!(file >> pid) || pid <= 1) return Error("pid file " + path + ": no pid in it");
  if (kill(pid, 0) != 0 && errno == ESRCH)
    return Error(fmt::format("pid file {}: no process {}", path, pid));
  return pid;
}

}  // namespace drover

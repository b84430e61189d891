#include "master/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace drover {

Result<PidFile> PidFile::create(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!fd.is_open()) return Error::from_errno("pid file " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    int holder = 0;
    std::ifstream(path) >> holder;
    return Error(fmt::format("already running: pid file {} is held by pid {}", path, holder));
  }
  const std::string text = fmt::format("{}\n", getpid());
  if (ftruncate(fd.get(), 0) != 0 ||
      write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return Error::from_errno("pid file " + path);
  }
  return PidFile(path, std::move(fd));
}

PidFile::~PidFile() {
  if (fd_.is_open()) unlink(path_.c_str());
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

#include "worker/accept/exclusive_epoll.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/event.h"
#include "common/unique_fd.h"

namespace drover {
namespace {

namespace fs = std::filesystem;

// An event on a new descriptor that no other epoll instance of this process holds: it tells this
// base's from others.
class Probe {
 public:
  explicit Probe(event_base* base) : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (fd_.is_open()) event_.start(base, fd_.get(), EV_READ, this);
  }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  void on_readable() {}

  UniqueFd fd_;
  Event<&Probe::on_readable> event_;
};

bool is_epoll(const fs::path& link) {
  std::error_code gone;  // the descriptor of this very scan is, when it is looked at
  return fs::read_symlink(link, gone) == "anon_inode:[eventpoll]";
}

bool epoll_holds(const std::string& epoll_fd, int fd) {
  std::ifstream info("/proc/self/fdinfo/" + epoll_fd);
  std::string key;
  int held = -1;
  for (std::string line; std::getline(info, line);) {
    if (std::sscanf(line.c_str(), "tfd: %d", &held) == 1 && held == fd) return true;
  }
  return false;
}

}  // namespace

int find_epoll_fd(event_base* base) {
  const Probe probe(base);
  if (probe.fd() < 0) return -1;
  std::error_code unreadable;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", unreadable)) {
    const std::string name = entry.path().filename();
    if (is_epoll(entry.path()) && epoll_holds(name, probe.fd())) return std::stoi(name);
  }
  return -1;
}

bool ExclusiveEpoll::make_exclusive(int fd) {
  if (epoll_fd_ >= 0 && readd(fd)) return true;
  epoll_fd_ = find_epoll_fd(base_);
  return epoll_fd_ >= 0 && readd(fd);
}

bool ExclusiveEpoll::readd(int fd) const {
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr) != 0) return false;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLEXCLUSIVE;
  event.data.fd = fd;  // as libevent's own
  if (epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0) return true;
  event.events = EPOLLIN;
  DROVER_CHECK(epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0);
  return false;
}

}  // namespace drover

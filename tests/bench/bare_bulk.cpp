// The least a server of bulk can do, what is left of the cost of a stream when only the kernel has
// a part in it: `down` writes blocks of 64 KiB from memory to whoever connects, `up` reads into a
// buffer of 256 KiB and answers the end with a byte. Both on level-triggered epoll, as bare_echo.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>

#include "tests/bench/bench_args.h"
#include "tests/support/endpoint.h"
#include "tests/support/failure.h"

namespace {

using drover::test::Endpoint;
using drover::test::fail_errno;

class BareBulk {
 public:
  BareBulk(const Endpoint& address, bool writes)
      : writes_(writes), listener_(::socket(address.family(), kSocketType, 0)) {
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_, address.get(), address.size) != 0) fail_errno("bind");
    if (::listen(listener_, 4096) != 0) fail_errno("listen");
    watch(listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 64> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)].data.fd);
    }
  }

 private:
  static constexpr int kSocketType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

  void watch(int fd, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void dispatch(int fd) {
    if (fd == listener_) return accept_one();
    writes_ ? write(fd) : read(fd);
  }

  void accept_one() const {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) watch(fd, writes_ ? EPOLLOUT : EPOLLIN);
  }

  void write(int fd) const {
    if (::send(fd, block_.data(), block_.size(), MSG_NOSIGNAL) < 0 && errno != EAGAIN) ::close(fd);
  }

  void read(int fd) {
    const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (got > 0 || (got < 0 && errno == EAGAIN)) return;
    if (got == 0) ::send(fd, "e", 1, MSG_NOSIGNAL);
    ::close(fd);
  }

  bool writes_;
  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  int listener_;
  std::array<char, 64 * 1024> block_{};
  std::array<char, 256 * 1024> buffer_{};
};

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(argc, argv, 2, "PORT up|down");
  if (args[1] != "up" && args[1] != "down") drover::test::fail("up or down");
  BareBulk server(Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0]))), args[1] == "down");
  server.run();
}

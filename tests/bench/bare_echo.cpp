// The least an echo server can do: level-triggered epoll, one 64 KiB buffer, recv, send. What
// Drover adds to a message is measured against this. It is correct (short writes, half-close),
// because a wrong server is no yardstick.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <unordered_map>

#include "tests/bench/bench_args.h"
#include "tests/support/endpoint.h"
#include "tests/support/failure.h"

namespace {

using drover::test::Endpoint;
using drover::test::fail_errno;

class BareEcho {
 public:
  explicit BareEcho(const Endpoint& address)
      : listener_(::socket(address.family(), kSocketType, 0)) {
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_, address.get(), address.size) != 0) fail_errno("bind");
    if (::listen(listener_, 4096) != 0) fail_errno("listen");
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) dispatch(events[static_cast<size_t>(i)]);
    }
  }

 private:
  static constexpr int kSocketType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

  void watch(int operation, int fd, unsigned events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, operation, fd, &event);
  }

  void dispatch(const epoll_event& event) {
    const int fd = event.data.fd;
    if (fd == listener_) return accept_one();
    if ((event.events & EPOLLOUT) != 0) return flush(fd);
    echo(fd);
  }

  void accept_one() const {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
  }

  void echo(int fd) {
    const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return close_connection(fd);
    const ssize_t sent = ::send(fd, buffer_.data(), static_cast<size_t>(got), MSG_NOSIGNAL);
    if (sent == got) return;
    if (sent < 0 && errno != EAGAIN) return close_connection(fd);
    const ssize_t taken = sent < 0 ? 0 : sent;
    pending_[fd].assign(buffer_.data() + taken, static_cast<size_t>(got - taken));
    watch(EPOLL_CTL_MOD, fd, EPOLLOUT);
  }

  void flush(int fd) {
    std::string& rest = pending_[fd];
    const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return close_connection(fd);
    rest.erase(0, static_cast<size_t>(sent));
    if (!rest.empty()) return;
    pending_.erase(fd);
    watch(EPOLL_CTL_MOD, fd, EPOLLIN);
  }

  void close_connection(int fd) {
    pending_.erase(fd);
    ::close(fd);
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  int listener_;
  std::array<char, 65536> buffer_;
  std::unordered_map<int, std::string> pending_;
};

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(argc, argv, 1, "PORT|PATH");
  const bool is_path = args[0].front() == '/';
  BareEcho server(is_path ? Endpoint::unix_path(args[0])
                          : Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0]))));
  std::puts("ready");
  std::fflush(stdout);
  server.run();
}

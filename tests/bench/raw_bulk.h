// Bytes without a protocol, read and written as MuxClient reads and writes its socket: what is left
// of a stream's cost when nothing but the kernel has a part in it.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include "tests/support/client.h"
#include "tests/support/failure.h"

namespace drover::bench {

class RawBulk {
 public:
  explicit RawBulk(const test::Endpoint& to) : client_(to) {}

  // Bytes that the server has read: it answers the end with one.
  [[nodiscard]] std::size_t upload(std::size_t size, test::Clock::time_point end) {
    const std::string block(64 * 1024, 'u');
    std::size_t sent = 0;
    while (sent < size && test::Clock::now() < end) {
      wait_for(POLLOUT);
      sent += send_some(block);
    }
    client_.half_close();
    if (client_.receive_all().size() != 1) test::fail("an upload was not answered");
    return sent;
  }

  [[nodiscard]] std::size_t download(std::size_t size, test::Clock::time_point end) {
    std::size_t got = 0;
    while (got < size && test::Clock::now() < end) {
      wait_for(POLLIN);
      got += receive_some();
    }
    return got;
  }

 private:
  void wait_for(short events) const {
    pollfd waited{client_.fd(), events, 0};
    if (::poll(&waited, 1, 1000) < 0) test::fail_errno("poll");
  }
  [[nodiscard]] std::size_t send_some(const std::string& block) const {
    const ssize_t sent =
        ::send(client_.fd(), block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) test::fail_errno("send");
    return static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
  }
  [[nodiscard]] std::size_t receive_some() {
    const ssize_t got = ::recv(client_.fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got == 0) test::fail("the server has closed the connection");
    if (got < 0 && errno != EAGAIN) test::fail_errno("recv");
    return static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }

  test::Client client_;
  std::array<char, 256 * 1024> buffer_;
};

}  // namespace drover::bench

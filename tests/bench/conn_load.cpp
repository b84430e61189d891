// Connections per second: connect, one message, close, 32 at a time, for a fixed time. What "one
// message" is depends on what the server can say: `echo` sends 64 bytes and reads them back,
// `return` only reads, `http` sends a request.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/bench_args.h"
#include "tests/support/endpoint.h"
#include "tests/support/failure.h"
#include "tests/support/wait.h"

namespace {

using drover::UniqueFd;
using drover::test::Clock;
using drover::test::Endpoint;
using drover::test::fail;

constexpr size_t kMessage = 64;
constexpr size_t kInFlight = 32;

std::string request_for(const std::string& mode) {
  if (mode == "echo") return std::string(kMessage, 'd');
  if (mode == "http") return "GET / HTTP/1.0\r\n\r\n";
  if (mode == "return") return "";
  fail("mode is echo, return or http");
}

struct Visitor {
  UniqueFd fd;
  bool asked = false;
};

class ConnLoad {
 public:
  ConnLoad(const Endpoint& to, const std::string& mode) : to_(to), request_(request_for(mode)) {
    visitors_.resize(kInFlight);
    for (Visitor& visitor : visitors_) open(visitor);
  }

  void run(Clock::time_point end) {
    std::array<epoll_event, kInFlight> events;
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i)
        go_on(*static_cast<Visitor*>(events[static_cast<size_t>(i)].data.ptr));
    }
  }

  [[nodiscard]] long served() const { return served_; }
  [[nodiscard]] long failed() const { return failed_; }

 private:
  // Over loopback the handshake is done when connect() returns, so the request is sent at once, as
  // a client with fast open would.
  void open(Visitor& visitor) {
    visitor.fd = drover::test::make_socket(AF_INET, drover::bench::source(opened_++));
    drover::test::reset_on_close(visitor.fd.get());
    ::connect(visitor.fd.get(), to_.get(), to_.size);
    visitor.asked = request_.empty() || ask(visitor);
    watch(EPOLL_CTL_ADD, visitor, visitor.asked ? EPOLLIN : EPOLLOUT);
  }

  [[nodiscard]] bool ask(const Visitor& visitor) const {
    const ssize_t sent = ::send(visitor.fd.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    return sent == static_cast<ssize_t>(request_.size());
  }

  void watch(int operation, Visitor& visitor, unsigned events) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &visitor;
    ::epoll_ctl(epoll_, operation, visitor.fd.get(), &event);
  }

  void go_on(Visitor& visitor) {
    if (visitor.asked) return finish(visitor);
    visitor.asked = ask(visitor);
    if (!visitor.asked) return replace(visitor, failed_);
    watch(EPOLL_CTL_MOD, visitor, EPOLLIN);
  }

  // The first bytes of the answer are the answer: all the servers send it whole.
  void finish(Visitor& visitor) {
    const ssize_t got = ::recv(visitor.fd.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    replace(visitor, got > 0 ? served_ : failed_);
  }

  void replace(Visitor& visitor, long& counter) {
    ++counter;
    open(visitor);
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  Endpoint to_;
  std::string request_;
  std::array<char, 4096> buffer_;
  std::vector<Visitor> visitors_;
  long opened_ = 0;
  long served_ = 0;
  long failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(argc, argv, 3, "PORT echo|return|http SECONDS");
  ConnLoad load(Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0]))), args[1]);
  const auto start = Clock::now();
  load.run(start + std::chrono::milliseconds(static_cast<long>(std::stod(args[2]) * 1000)));
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("{\"connections\": %ld, \"failed\": %ld, \"seconds\": %.3f}\n", load.served(),
              load.failed(), took.count());
}

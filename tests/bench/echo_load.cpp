// N connections, each with DEPTH messages of 64 bytes in flight, for a fixed time: how many were
// answered. The answers are counted, their bytes checked once a turn: the client must not be what
// is measured.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/bench_args.h"
#include "tests/support/client.h"
#include "tests/support/failure.h"

namespace {

using drover::test::Client;
using drover::test::Clock;
using drover::test::Endpoint;
using drover::test::fail;
using drover::test::fail_errno;

constexpr size_t kMessage = 64;

// One connection: sends a volley of DEPTH messages, waits for all of it, sends the next.
struct Talker {
  explicit Talker(const Endpoint& to) : client(to) {}
  Client client;
  size_t received = 0;
};

class EchoLoad {
 public:
  EchoLoad(const Endpoint& to, long connections, size_t depth) : volley_(kMessage * depth, 'd') {
    for (long i = 0; i < connections; ++i) {
      talkers_.push_back(std::make_unique<Talker>(to));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = talkers_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, talkers_.back()->client.fd(), &event);
    }
  }

  // Messages answered until `end`.
  long run(Clock::time_point end) {
    for (const auto& talker : talkers_) send_volley(*talker);
    std::array<epoll_event, 256> events;
    while (Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i)
        on_readable(*static_cast<Talker*>(events[static_cast<size_t>(i)].data.ptr));
    }
    return volleys_ * static_cast<long>(volley_.size() / kMessage);
  }

 private:
  void send_volley(Talker& talker) const {
    const ssize_t sent = ::send(talker.client.fd(), volley_.data(), volley_.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(volley_.size())) fail_errno("send");
  }

  void on_readable(Talker& talker) {
    const ssize_t got = ::recv(talker.client.fd(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0 || buffer_[0] != volley_[0]) fail("the server does not echo");
    talker.received += static_cast<size_t>(got);
    if (talker.received < volley_.size()) return;
    talker.received = 0;
    ++volleys_;
    send_volley(talker);
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  std::string volley_;
  std::array<char, 65536> buffer_;
  std::vector<std::unique_ptr<Talker>> talkers_;
  long volleys_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(argc, argv, 4, "PORT CONNECTIONS DEPTH SECONDS");
  EchoLoad load(Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0]))), std::stol(args[1]),
                std::stoul(args[2]));
  const auto start = Clock::now();
  const double seconds = std::stod(args[3]);
  const long messages =
      load.run(start + std::chrono::milliseconds(static_cast<long>(seconds * 1000)));
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("{\"messages\": %ld, \"seconds\": %.3f}\n", messages, took.count());
}

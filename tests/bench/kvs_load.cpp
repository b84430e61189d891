// A key-value server asked by CONNECTIONS clients, each with DEPTH requests in flight, for a fixed
// time or, with SECONDS 0, once for each of ITEMS paths: how many were answered. One program for
// three protocols, so that the client is the same for all servers. Of the answers the lengths are
// checked, of KV1 the status, no more: the client must not be what is measured. A request that is
// answered BUSY is made again, and not counted.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/bench_args.h"
#include "tests/bench/kvs_dialects.h"
#include "tests/bench/paths.h"
#include "tests/support/client.h"
#include "tests/support/failure.h"

namespace {

using drover::bench::Dialect;
using drover::test::Client;
using drover::test::Clock;
using drover::test::Endpoint;
using drover::test::fail;
using drover::test::fail_errno;
using kvs::kv1::FrameReader;

// One connection: sends a volley of DEPTH requests, waits for all answers, sends the next.
struct Asker {
  explicit Asker(const Endpoint& to) : client(to) {}
  Client client;
  std::vector<std::size_t> asked;  // the keys of this volley; a RID is a place in it, from 1 on
  std::size_t awaited = 0;         // bytes, or of a framed dialect answers
  FrameReader reader{FrameReader::Side::kAnswers, {}};
};

class KvsLoad {
 public:
  KvsLoad(const Endpoint& to, Dialect dialect, long connections, std::size_t depth,
          std::vector<std::string> keys)
      : dialect_(std::move(dialect)), depth_(depth), keys_(std::move(keys)) {
    for (long i = 0; i < connections; ++i) {
      askers_.push_back(std::make_unique<Asker>(to));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = askers_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, askers_.back()->client.fd(), &event);
    }
  }

  // Requests answered until `end`, or until each key has been asked for once.
  std::size_t run(Clock::time_point end, bool is_once) {
    is_once_ = is_once;
    for (const auto& asker : askers_) send_volley(*asker);
    std::array<epoll_event, 256> events;
    while (is_once ? answered_ < keys_.size() : Clock::now() < end) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i)
        on_readable(*static_cast<Asker*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    return answered_;
  }

 private:
  void send_volley(Asker& asker) {
    std::string volley;
    asker.asked.clear();
    while (asker.asked.size() < depth_ && has_next()) {
      asker.asked.push_back(take_next());
      const std::string& key = keys_[asker.asked.back()];
      volley += dialect_.request(key, static_cast<std::uint32_t>(asker.asked.size()));
      asker.awaited += dialect_.is_framed ? 1 : dialect_.answer_size(key);
    }
    if (volley.empty()) return;
    const ssize_t sent = ::send(asker.client.fd(), volley.data(), volley.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(volley.size())) fail_errno("send");
  }
  [[nodiscard]] bool has_next() const {
    return !is_once_ || !again_.empty() || next_ < keys_.size();
  }
  std::size_t take_next() {
    if (again_.empty()) return next_++ % keys_.size();
    const std::size_t key = again_.back();
    again_.pop_back();
    return key;
  }

  void on_readable(Asker& asker) {
    const ssize_t got = ::recv(asker.client.fd(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) fail("the server has closed a connection");
    const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
    dialect_.is_framed ? take_frames(asker, bytes) : take_bytes(asker, bytes.size());
    if (asker.awaited == 0) send_volley(asker);
  }
  void take_bytes(Asker& asker, std::size_t count) {
    if (count > asker.awaited) fail("an answer has not the length that it should have");
    asker.awaited -= count;
    if (asker.awaited == 0) answered_ += asker.asked.size();
  }
  void take_frames(Asker& asker, std::string_view bytes) {
    while (const auto answer = asker.reader.next(bytes)) {
      const kvs::kv1::Frame& frame = answer->frame;
      if (frame.rid == 0 || frame.rid > asker.asked.size()) fail("an answer to no request");
      --asker.awaited;
      if (frame.type == kvs::kv1::kOk) {
        ++answered_;
      } else if (frame.type == kvs::kv1::kBusy) {
        again_.push_back(asker.asked[frame.rid - 1]);
      } else {
        fail("an answer is an error: " + std::string(frame.value));
      }
    }
  }

  int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  Dialect dialect_;
  std::size_t depth_;
  std::vector<std::string> keys_;
  std::size_t next_ = 0;
  std::vector<std::size_t> again_;  // keys whose request was answered BUSY
  bool is_once_ = false;
  std::array<char, 65536> buffer_;
  std::vector<std::unique_ptr<Asker>> askers_;
  std::size_t answered_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto args =
      drover::bench::arguments(argc, argv, 6, "PORT DIALECT CONNECTIONS DEPTH SECONDS ITEMS");
  const auto dialect = drover::bench::dialects().find(args[1]);
  if (dialect == drover::bench::dialects().end()) fail("no such dialect: " + args[1]);
  drover::bench::Paths paths;
  KvsLoad load(Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0]))), dialect->second,
               std::stol(args[2]), std::stoul(args[3]), paths.make(std::stoul(args[5])));
  const auto start = Clock::now();
  const double seconds = std::stod(args[4]);
  const std::size_t requests =
      load.run(start + std::chrono::milliseconds(static_cast<long>(seconds * 1000)), seconds == 0);
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("{\"requests\": %zu, \"seconds\": %.3f}\n", requests, took.count());
}

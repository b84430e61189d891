// Key-value servers asked for ITEMS paths, which are made once: each line of standard input is a
// run, "PORT DIALECT CONNECTIONS DEPTH SECONDS". So many clients, each with DEPTH requests in
// flight, ask for a fixed time or, with SECONDS 0, once for each path; a line says how many were
// answered. One program for three protocols, so that the client is the same for all servers. Of the
// answers the lengths are checked, of KV1 the status, no more: the client must not be what is
// measured. A request that is answered BUSY is made again, and not counted.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <sstream>
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

// A line of standard input.
struct Run {
  Endpoint to;
  const Dialect& dialect;
  long connections;
  std::size_t depth;
  double seconds;
};

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
  // Begins with the key at `first`: runs that follow each other go on where the last one ended, so
  // that a short one does not find in the processor's cache what the one before has asked for.
  KvsLoad(const Run& run, const std::vector<std::string>& keys, std::size_t first)
      : dialect_(run.dialect), depth_(run.depth), keys_(keys), next_(first) {
    for (long i = 0; i < run.connections; ++i) {
      askers_.push_back(std::make_unique<Asker>(run.to));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.ptr = askers_.back().get();
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, askers_.back()->client.fd(), &event);
    }
  }

  ~KvsLoad() { ::close(epoll_); }
  KvsLoad(const KvsLoad&) = delete;
  KvsLoad& operator=(const KvsLoad&) = delete;

  // Requests answered until `end`, or until each key has been asked for once.
  std::size_t run(Clock::time_point end, bool is_once) {
    if (is_once) left_ = keys_.size();
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
  [[nodiscard]] bool has_next() const { return left_ > 0 || !again_.empty(); }
  std::size_t take_next() {
    if (again_.empty()) return --left_, next_++ % keys_.size();
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
  const Dialect& dialect_;
  std::size_t depth_;
  const std::vector<std::string>& keys_;
  std::size_t next_;
  std::size_t left_ = std::numeric_limits<std::size_t>::max();  // keys that may still be asked for
  std::vector<std::size_t> again_;  // keys whose request was answered BUSY
  std::array<char, 65536> buffer_;
  std::vector<std::unique_ptr<Asker>> askers_;
  std::size_t answered_ = 0;
};

Run run_of(const std::string& line) {
  std::istringstream words(line);
  std::uint16_t port = 0;
  std::string dialect;
  long connections = 0;
  std::size_t depth = 0;
  double seconds = 0;
  if (!(words >> port >> dialect >> connections >> depth >> seconds)) fail("no run: " + line);
  const auto found = drover::bench::dialects().find(dialect);
  if (found == drover::bench::dialects().end()) fail("no such dialect: " + dialect);
  return {Endpoint::v4(port), found->second, connections, depth, seconds};
}

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(argc, argv, 1, "ITEMS < RUNS");
  drover::bench::Paths paths;
  const auto keys = paths.make(std::stoul(args[0]));
  std::size_t first = 0;
  for (std::string line; std::getline(std::cin, line);) {
    const Run run = run_of(line);
    KvsLoad load(run, keys, first);
    const auto start = Clock::now();
    const auto end = start + std::chrono::milliseconds(static_cast<long>(run.seconds * 1000));
    const std::size_t requests = load.run(end, run.seconds == 0);
    const std::chrono::duration<double> took = Clock::now() - start;
    std::printf("{\"requests\": %zu, \"seconds\": %.3f}\n", requests, took.count());
    std::fflush(stdout);
    first += requests;
  }
}

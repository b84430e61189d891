// A server of streams asked by one program, whatever server and protocol: COUNT requests of 2,727
// bytes, each on a stream of its own, answered by 207, so many at once on one connection; or one
// stream that carries COUNT bytes up or down, at most for five seconds; or COUNT streams that wait.
// What the server answers is counted, no more: the client must not be what is measured. `raw` is no
// protocol: the same bytes up or down a connection of their own (bare_bulk.cpp), the kernel's part.
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <map>

#include "tests/bench/bench_args.h"
#include "tests/bench/mux_client.h"
#include "tests/bench/raw_bulk.h"

namespace {

using drover::bench::MuxClient;
using drover::test::Clock;
using drover::test::Endpoint;
using drover::test::fail;

constexpr std::size_t kRequest = 2727;  // bytes, as the bench of monochromegane/smux has them
constexpr std::size_t kAnswer = 207;
constexpr std::chrono::seconds kLongestBulk{5};

class Requests {
 public:
  Requests(MuxClient& client, std::size_t count) : client_(client), left_(count) {}

  void run(std::size_t at_once) {
    for (std::size_t i = 0; i < at_once; ++i) ask();
    while (open_ > 0) {
      for (const MuxClient::Event& event : client_.turn()) take(event);
    }
  }

 private:
  void ask() {
    if (left_ == 0) return;
    --left_;
    ++open_;
    mux::Stream& stream = client_.open();
    if (client_.session().write(stream, request_) != kRequest) fail("a request is not taken");
    if (client_.ends_requests()) client_.session().end(stream);
  }
  // Most users of these libraries read the answer, and close then.
  void take(const MuxClient::Event& event) {
    if (event.received > 0 && event.stream->received == kAnswer) {
      if (!client_.ends_requests()) client_.session().end(*event.stream);
      ask();
    }
    if (!event.is_ended) return;
    if (event.stream->received != kAnswer) fail("an answer has not the length that it should have");
    client_.close(*event.stream);
    --open_;
  }

  MuxClient& client_;
  std::size_t left_;
  std::size_t open_ = 0;
  std::string request_ = std::string(kRequest, 'q');
};

// Bytes that the server has taken, as far as windows and sockets tell.
std::size_t upload(MuxClient& client, std::size_t size) {
  const std::string block(64 * 1024, 'u');
  mux::Stream& stream = client.open();
  const auto end = Clock::now() + kLongestBulk;
  std::size_t sent = 0;
  bool is_over = false;
  while (!is_over) {
    while (sent < size && Clock::now() < end) {
      const std::size_t taken = client.session().write(stream, block);
      sent += taken;
      if (taken < block.size()) break;
    }
    if (!stream.is_ending && (sent >= size || Clock::now() >= end)) client.session().end(stream);
    for (const MuxClient::Event& event : client.turn()) is_over = is_over || event.is_ended;
  }
  if (stream.received != kAnswer) fail("an upload was not answered");
  return sent;
}

std::size_t download(MuxClient& client, std::size_t size) {
  mux::Stream& stream = client.open();
  static_cast<void>(client.session().write(stream, "go"));
  const auto end = Clock::now() + kLongestBulk;
  while (stream.received < size && Clock::now() < end) static_cast<void>(client.turn());
  return stream.received;
}

void wait_for_end_of_input() {
  char end = 0;
  while (::read(STDIN_FILENO, &end, 1) > 0) {
  }
}

// Streams in sessions of ten thousand; each has said a byte, and waits for nothing. A request on
// each session is answered when the server has seen all before it.
std::vector<std::unique_ptr<MuxClient>> idle(const Endpoint& to, mux::Protocol protocol,
                                             std::size_t count) {
  constexpr std::size_t kInSession = 10'000;
  constexpr std::size_t kInTurn = 100;  // a server that accepts slowly refuses more
  std::vector<std::unique_ptr<MuxClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % kInSession == 0) clients.push_back(std::make_unique<MuxClient>(to, protocol));
    MuxClient& client = *clients.back();
    static_cast<void>(client.session().write(client.open(), "i"));
    const bool is_full = (i + 1) % kInSession == 0 || i + 1 == count;
    if ((i + 1) % kInTurn == 0 || is_full) Requests(client, 1).run(1);
  }
  return clients;
}

mux::Protocol protocol_named(const std::string& name) {
  static const std::map<std::string, mux::Protocol> kNames{{"smux", mux::Protocol::kSmux},
                                                           {"smux1", mux::Protocol::kXsmux1},
                                                           {"smux2", mux::Protocol::kXsmux2},
                                                           {"yamux", mux::Protocol::kYamux}};
  const auto found = kNames.find(name);
  if (found == kNames.end()) fail("no such protocol: " + name);
  return found->second;
}

std::size_t run_raw(const std::string& what, const Endpoint& to, std::size_t count) {
  drover::bench::RawBulk client(to);
  const auto end = Clock::now() + kLongestBulk;
  if (what == "upload") return client.upload(count, end);
  if (what == "download") return client.download(count, end);
  fail("no such raw load: " + what);
}

std::size_t run(const std::string& what, const Endpoint& to, const std::string& protocol,
                std::size_t count, std::size_t at_once) {
  if (protocol == "raw") return run_raw(what, to, count);
  MuxClient client(to, protocol_named(protocol));
  if (what == "upload") return upload(client, count);
  if (what == "download") return download(client, count);
  if (what != "requests") fail("no such load: " + what);
  Requests(client, count).run(at_once);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  const auto args = drover::bench::arguments(
      argc, argv, 5, "PORT smux|smux1|smux2|yamux|raw requests|upload|download|idle COUNT AT_ONCE");
  const Endpoint to = Endpoint::v4(static_cast<std::uint16_t>(std::stoul(args[0])));
  const std::size_t count = std::stoul(args[3]);
  if (args[2] == "idle") {
    const auto clients = idle(to, protocol_named(args[1]), count);
    std::printf("{\"open\": %zu}\n", count);
    std::fflush(stdout);
    wait_for_end_of_input();
    return 0;
  }
  const auto start = Clock::now();
  const std::size_t done = run(args[2], to, args[1], count, std::stoul(args[4]));
  const std::chrono::duration<double> took = Clock::now() - start;
  std::printf("{\"count\": %zu, \"seconds\": %.3f}\n", done, took.count());
}

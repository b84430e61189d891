// Both roles of a protocol against each other, with an owner at each side and a line between them
// that cuts the bytes anywhere: every byte of every stream arrives, and nothing is left counted.
#include <gtest/gtest.h>

#include "tests/unit/mux/framed_rig.h"

namespace mux {
namespace {

using testing::Kind;
using testing::Peer;

class FramedPair : public ::testing::TestWithParam<Kind> {
 protected:
  struct Call {
    Stream* stream = nullptr;
    std::string request;
    std::size_t written = 0;
  };

  std::size_t below(std::size_t end) { return random_() % end; }

  void open(std::size_t calls) {
    for (std::size_t i = 0; i < calls; ++i) {
      Stream* stream = client_.session->open(client_.now);
      ASSERT_NE(stream, nullptr);
      std::string request(1 + below(i % 5 == 0 ? 300'000 : 3'000), 'a');
      for (char& byte : request) byte = static_cast<char>('a' + below(26));
      requests_[stream->id] = {stream, std::move(request), 0};
    }
  }

  void write_requests() {
    for (auto& [id, call] : requests_) {
      if (call.written == call.request.size()) continue;
      const auto rest = std::string_view(call.request).substr(call.written);
      call.written += client_.session->write(*call.stream, rest.substr(0, 1 + below(90'000)));
      if (call.written == call.request.size()) client_.session->end(*call.stream);
    }
  }

  // An echo.
  void serve() {
    for (auto& [id, stream] : server_.listener.streams) {
      if (stream == nullptr) continue;
      const std::string& said = server_.listener.said[id];
      const bool has_ended = said.back() == '.';
      const std::string_view body =
          std::string_view(said).substr(1, said.size() - 1 - (has_ended ? 1 : 0));
      std::size_t& done = echoed_[id];
      const std::size_t taken = server_.session->write(*stream, body.substr(done));
      server_.session->consumed(*stream, taken, server_.now);
      done += taken;
      if (!has_ended || done < body.size()) continue;
      server_.session->close(*stream, true, server_.now);
      stream = nullptr;
    }
  }

  void carry(Peer& from, Peer& to) {
    std::string bytes;
    from.session->send(bytes, 1 + below(50'000), from.now);
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = 1 + below(below(3) == 0 ? 9 : 20'000);
      to.session->receive(std::string_view(bytes).substr(at, size), to.now);
      at += size;
    }
  }

  void take_answers() {
    for (auto& [id, call] : requests_) {
      if (call.stream == nullptr) continue;
      const auto waiting = call.stream->received - call.stream->consumed;
      client_.session->consumed(*call.stream, static_cast<std::size_t>(waiting), client_.now);
      const auto said = client_.listener.said.find(id);
      if (said == client_.listener.said.end() || said->second.back() != '.') continue;
      client_.session->close(*call.stream, true, client_.now);
      call.stream = nullptr;
      ++answered_;
    }
  }

  void run(std::size_t calls) {
    for (int turn = 0; turn < 20'000 && answered_ < calls; ++turn) {
      write_requests();
      carry(client_, server_);
      serve();
      carry(server_, client_);
      take_answers();
      client_.pass(Time{5});
      server_.pass(Time{5});
    }
  }

  std::mt19937 random_{1};
  Peer client_{GetParam(), Role::kClient};
  Peer server_{GetParam(), Role::kServer};
  std::map<std::uint32_t, Call> requests_;
  std::map<std::uint32_t, std::size_t> echoed_;
  std::size_t answered_ = 0;
};

TEST_P(FramedPair, CarriesEveryByteOfEveryStream) {
  constexpr std::size_t kCalls = 60;
  open(kCalls);

  run(kCalls);

  EXPECT_EQ(answered_, kCalls);
  for (const auto& [id, call] : requests_)
    EXPECT_EQ(client_.listener.said[id], call.request + ".") << id;
  for (Peer* peer : {&client_, &server_}) {
    EXPECT_EQ(peer->worker.memory_used, 0U);
    EXPECT_EQ(peer->worker.window_used, 0U);
    EXPECT_EQ(peer->session->streams(), 0U);
    EXPECT_EQ(peer->session->ending(), Ending::kNone);
    EXPECT_EQ(peer->worker.counts.protocol_errors, 0U);
  }
}

TEST_P(FramedPair, GoesOnWhenTheSessionHasRoomForLittle) {
  for (Peer* peer : {&client_, &server_}) {
    peer->limits.max_session_output = 100'000;
    peer->limits.max_held_answer = 50'000;
  }
  constexpr std::size_t kCalls = 20;
  open(kCalls);

  run(kCalls);

  EXPECT_EQ(answered_, kCalls);
  EXPECT_EQ(server_.worker.memory_used, 0U);
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::kSmux:
      return "Smux";
    case Kind::kXsmux1:
      return "Xsmux1";
    case Kind::kXsmux2:
      break;
  }
  return "Xsmux2";
}

INSTANTIATE_TEST_SUITE_P(Protocols, FramedPair,
                         ::testing::Values(Kind::kSmux, Kind::kXsmux1, Kind::kXsmux2),
                         [](const auto& row) { return std::string(name_of(row.param)); });

}  // namespace
}  // namespace mux

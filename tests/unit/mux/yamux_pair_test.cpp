// Two sessions that talk to each other through a pipe that cuts anywhere.
#include <gmock/gmock.h>

#include <random>

#include "tests/unit/mux/recorder.h"

namespace mux::testing {
namespace {

// One end: an owner that opens streams, sends bytes that can be told, and reads by fits and starts.
struct End {
  End(Role role, const Limits& limits)
      : session(make_session(Protocol::kYamux, role, limits, worker, owner, Time{0})) {}

  Worker worker;
  Recorder owner;
  std::unique_ptr<Session> session;
  std::map<std::uint32_t, std::string> unsent;  // of streams that are open
  std::string wire;                             // sent, and not yet at the other end
  std::string all;                              // ... ever
};

std::string text_of(std::uint32_t id, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(id * 31 + i / 7);
  return text;
}

class YamuxPair : public ::testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::size_t kStreams = 40;

  void open_streams() {
    for (std::size_t i = 0; i < kStreams; ++i) {
      Stream* const stream = client_.session->open(now_);
      client_.owner.streams[stream->id] = stream;
      sizes_[stream->id] = pick(4) == 0 ? pick(400'000) : pick(3000);
      client_.unsent[stream->id] = text_of(stream->id, sizes_[stream->id]);
    }
  }
  std::size_t pick(std::size_t below) { return random_() % below; }

  void step(End& from, End& to) {
    now_ += Time{1};
    write(from);
    read(from);
    std::string out;
    from.session->send(out, pick(100'000), now_);
    from.wire += out;
    from.all += out;
    const std::string part = from.wire.substr(0, pick(50'000));
    from.wire.erase(0, part.size());
    to.session->receive(part, now_);
  }
  // The server sends back what it gets, the client its text.
  static bool has_all(const Stream& stream) {
    return stream.is_ended_by_peer && stream.received == stream.consumed;
  }
  void write(End& end) {
    for (auto it = end.unsent.begin(); it != end.unsent.end();) {
      Stream& stream = *end.owner.streams.at(it->first);
      it->second.erase(0, end.session->write(stream, it->second));
      const bool is_all = it->second.empty() && (&end == &client_ || has_all(stream));
      if (is_all) end.session->end(stream);
      it = is_all ? end.unsent.erase(it) : std::next(it);
    }
  }
  void read(End& end) {
    for (auto& [id, waiting] : end.owner.waiting) {
      const std::size_t taken = std::min(waiting, pick(40'000));
      if (taken == 0) continue;
      if (&end == &server_) {
        const std::string& got = end.owner.received[id];
        end.unsent[id] += got.substr(got.size() - waiting, taken);
      }
      waiting -= taken;
      end.session->consumed(*end.owner.streams.at(id), taken, now_);
    }
    for (auto it = end.owner.streams.begin(); it != end.owner.streams.end();) {
      Stream& stream = *it->second;
      const bool is_done = stream.is_ended && has_all(stream);
      if (&end == &server_ && has_all(stream)) end.unsent.try_emplace(stream.id);
      if (is_done) end.unsent.erase(stream.id);
      if (is_done) end.session->close(stream, true, now_);
      it = is_done ? end.owner.streams.erase(it) : std::next(it);
    }
  }
  void talk() {
    open_streams();
    for (int i = 0; i < 20'000 && client_.session->streams() + server_.session->streams() > 0;
         ++i) {
      step(client_, server_);
      step(server_, client_);
    }
  }

  std::mt19937 random_{GetParam()};
  Time now_{0};
  Limits limits_;
  End client_{Role::kClient, limits_};
  End server_{Role::kServer, limits_};
  std::map<std::uint32_t, std::size_t> sizes_;
};

TEST_P(YamuxPair, CarriesEveryByteBothWays) {
  talk();
  EXPECT_EQ(client_.session->streams(), 0U);
  EXPECT_EQ(server_.session->streams(), 0U);
  for (const auto& [id, size] : sizes_)
    EXPECT_TRUE(client_.owner.received[id] == text_of(id, size)) << "stream " << id;
  for (End* end : {&client_, &server_}) {
    EXPECT_EQ(end->session->ending(), Ending::kNone) << end->session->error();
    EXPECT_EQ(end->worker.memory_used, 0U);
    EXPECT_EQ(end->worker.window_used, 0U);
  }
}

// What a client said, cut otherwise, is the same to a server that reads at the end of each piece.
TEST_P(YamuxPair, SaysTheSameHoweverItIsCut) {
  talk();
  const auto events_of = [this](const std::string& bytes, std::size_t longest) {
    Limits wide = limits_;
    wide.max_session_input = std::size_t{1} << 30;
    End end{Role::kServer, wide};
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = longest == 1 ? 1 : 1 + pick(longest);
      end.session->receive(std::string_view{bytes}.substr(at, size), now_);
      at += size;
      for (const auto& [id, waiting] : std::exchange(end.owner.waiting, {}))
        end.session->consumed(*end.owner.streams.at(id), waiting, now_);
    }
    EXPECT_EQ(end.session->ending(), Ending::kNone) << end.session->error();
    return end.owner.taken();
  };
  const std::string start = client_.all.substr(0, 150'000);
  const Words whole = events_of(start, start.size());
  EXPECT_GT(whole.size(), kStreams);
  EXPECT_EQ(events_of(start, 1), whole);
  EXPECT_EQ(events_of(start, 40), whole);
  EXPECT_EQ(events_of(start, 5000), whole);
}

INSTANTIATE_TEST_SUITE_P(Seeds, YamuxPair, ::testing::Range(1U, 9U));

}  // namespace
}  // namespace mux::testing

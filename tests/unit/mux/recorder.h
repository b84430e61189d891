// An owner of streams that writes down what it is told, and a yamux session whose peer is the test.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mux/protocol.h"
#include "modules/mux/session.h"
#include "modules/mux/wire/yamux.h"

namespace mux::testing {

using Words = std::vector<std::string>;

class Recorder : public Listener {
 public:
  bool opened(Stream& stream) override {
    if (!accepts) return false;
    streams[stream.id] = &stream;
    say("opened", stream);
    return true;
  }
  // Parts that follow one another are one.
  void data(Stream& stream, std::string_view bytes) override {
    waiting[stream.id] += bytes.size();
    std::string& all = received[stream.id];
    all += bytes;
    const std::string head = "data " + std::to_string(stream.id) + " ";
    if (!events.empty() && events.back().starts_with(head)) {
      events.back() = head + std::to_string(size_of(events.back()) + bytes.size());
    } else {
      events.push_back(head + std::to_string(bytes.size()));
    }
  }
  void ended(Stream& stream) override { say("ended", stream); }
  void broken(Stream& stream) override {
    say("broken", stream);
    streams.erase(stream.id);
    waiting.erase(stream.id);
  }
  void writable(Stream& stream) override { say("writable", stream); }

  Words taken() { return std::exchange(events, {}); }

  bool accepts = true;
  Words events;
  std::map<std::uint32_t, Stream*> streams;
  std::map<std::uint32_t, std::string> received;
  std::map<std::uint32_t, std::size_t> waiting;  // received and not consumed

 private:
  static std::size_t size_of(const std::string& event) {
    return std::stoul(event.substr(event.rfind(' ')));
  }
  void say(std::string_view what, const Stream& stream) {
    events.push_back(std::string{what} + " " + std::to_string(stream.id));
  }
};

inline std::string frame(yamux::Type type, std::uint16_t flags, std::uint32_t id,
                         std::uint32_t length, std::string_view body = {}) {
  std::string bytes;
  yamux::append_head(bytes, {.type = type, .flags = flags, .id = id, .length = length});
  return bytes.append(body);
}
inline std::string update(std::uint16_t flags, std::uint32_t id, std::uint32_t delta = 0) {
  return frame(yamux::Type::kWindowUpdate, flags, id, delta);
}
inline std::string data(std::uint16_t flags, std::uint32_t id, std::string_view body) {
  return frame(yamux::Type::kData, flags, id, static_cast<std::uint32_t>(body.size()), body);
}
inline std::string ping(std::uint16_t flags, std::uint32_t value) {
  return frame(yamux::Type::kPing, flags, 0, value);
}
inline std::string go_away(std::uint32_t code) { return frame(yamux::Type::kGoAway, 0, 0, code); }

// Frames as words: "update SYN 1 +0", "data 1 5", "ping ACK 7", "go away 1".
inline std::string flags_of(const yamux::Head& head) {
  std::string words;
  if (head.has(yamux::kSyn)) words += "SYN ";
  if (head.has(yamux::kAck)) words += "ACK ";
  if (head.has(yamux::kFin)) words += "FIN ";
  if (head.has(yamux::kRst)) words += "RST ";
  return words;
}
inline std::string word_of(const yamux::Head& head) {
  const std::string id = std::to_string(head.id);
  const std::string length = std::to_string(head.length);
  switch (head.type) {
    case yamux::Type::kData:
      return "data " + flags_of(head) + id + " " + length;
    case yamux::Type::kWindowUpdate:
      return "update " + flags_of(head) + id + " +" + length;
    case yamux::Type::kPing:
      return "ping " + flags_of(head) + length;
    case yamux::Type::kGoAway:
      return "go away " + length;
  }
  return "?";
}
inline Words words_of(std::string_view bytes) {
  Words words;
  while (bytes.size() >= yamux::kHeadBytes) {
    const yamux::Head head = yamux::head_at(bytes);
    const std::size_t body = head.type == yamux::Type::kData ? head.length : 0;
    if (bytes.size() < yamux::kHeadBytes + body) break;
    words.push_back(word_of(head));
    bytes.remove_prefix(yamux::kHeadBytes + body);
  }
  if (!bytes.empty()) words.push_back("cut off: " + std::to_string(bytes.size()));
  return words;
}

class YamuxTest : public ::testing::Test {
 protected:
  // Whatever a test did, nothing of it may stay in the worker's accounts.
  void TearDown() override {
    session_.reset();
    EXPECT_EQ(worker.memory_used, 0U);
    EXPECT_EQ(worker.window_used, 0U);
  }
  // After the limits are set: made when first used.
  Session& session() {
    if (!session_) session_ = make_session(Protocol::kYamux, role, limits, worker, owner, now);
    return *session_;
  }
  void receive(std::string_view bytes) { session().receive(bytes, now); }
  std::string output(std::size_t room = std::size_t{1} << 30) {
    std::string out;
    session().send(out, room, now);
    return out;
  }
  Words sent() { return words_of(output()); }
  Stream& stream(std::uint32_t id) { return *owner.streams.at(id); }
  // A stream of the peer's, with the frames about it out of the way.
  Stream& opened(std::uint32_t id) {
    receive(update(yamux::kSyn, id));
    output();
    owner.taken();
    return stream(id);
  }
  void consume(std::uint32_t id, std::size_t size_bytes) {
    session().consumed(stream(id), size_bytes, now);
  }

  Role role = Role::kServer;
  Limits limits;
  Worker worker;
  Recorder owner;
  Time now{1'000'000};

 private:
  std::unique_ptr<Session> session_;
};

}  // namespace mux::testing

// A session of smux or xsmux, with a listener that writes down what it is told, and two of them
// that talk to each other.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "modules/mux/smux_session.h"
#include "modules/mux/xsmux_session.h"

namespace mux::testing {

// "00 01 0001" to bytes.
inline std::string bytes_of(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high >= 0) bytes += static_cast<char>(high * 16 + digit);
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

inline std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(byte) / 16];
    hex += kDigits[static_cast<unsigned char>(byte) % 16];
  }
  return hex;
}

// Of each stream, in order: what came of it, "." its end, "!" that it is broken off.
struct Witness : Listener {
  bool opened(Stream& stream) override {
    if (refuses) return false;
    streams[stream.id] = &stream;
    ++opens;
    said[stream.id] += "<";
    return true;
  }
  void data(Stream& stream, std::string_view bytes) override {
    said[stream.id] += bytes;
    got += bytes.size();
  }
  void ended(Stream& stream) override {
    said[stream.id] += ".";
    ended_streams.push_back(&stream);
  }
  void broken(Stream& stream) override {
    said[stream.id] += "!";
    streams.erase(stream.id);
  }
  void writable(Stream& stream) override { writables.insert(&stream); }

  bool refuses = false;
  std::size_t opens = 0;
  std::size_t got = 0;  // bytes
  std::map<std::uint32_t, Stream*> streams;
  std::map<std::uint32_t, std::string> said;
  std::vector<Stream*> ended_streams;
  std::set<Stream*> writables;
};

enum class Kind { kSmux, kXsmux1, kXsmux2 };

struct Peer {
  explicit Peer(Kind kind, Role role = Role::kServer, const Limits& own_limits = {})
      : limits(own_limits) {
    if (kind == Kind::kSmux) {
      session = std::make_unique<SmuxSession>(role, limits, worker, listener, now);
    } else {
      const std::uint8_t version = kind == Kind::kXsmux1 ? 1 : 2;
      session = std::make_unique<XsmuxSession>(version, role, limits, worker, listener, now);
    }
  }
  void receive(std::string_view hex) { session->receive(bytes_of(hex), now); }
  std::string output() {
    std::string out;
    session->send(out, std::size_t{64} << 20, now);
    return out;
  }
  std::string output_hex() { return hex_of(output()); }
  Stream& stream(std::uint32_t id) { return *listener.streams.at(id); }
  // The time goes on until it is `span` later, and the session is woken when it says.
  void pass(Time span) {
    const Time end = now + span;
    while (session->wake_at() && *session->wake_at() <= end) {
      now = std::max(now, *session->wake_at());
      session->wake(now);
    }
    now = end;
  }

  Limits limits;
  Worker worker;
  Witness listener;
  Time now{1'000};
  std::unique_ptr<Session> session;
};

}  // namespace mux::testing

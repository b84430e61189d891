// A session in the client's role on a socket: what the bench of the multiplexer asks all servers
// with. Events are gathered and told after the call that caused them, so that whoever hears them
// may call the session.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "modules/mux/protocol.h"
#include "tests/support/client.h"
#include "tests/support/failure.h"

namespace drover::bench {

class MuxClient final : private mux::Listener {
 public:
  MuxClient(const test::Endpoint& to, mux::Protocol protocol)
      : client_(to),
        protocol_(protocol),
        session_(mux::make_session(protocol, mux::Role::kClient, limits_, worker_, *this, now())) {}

  struct Event {
    mux::Stream* stream;
    std::size_t received = 0;  // bytes
    bool is_ended = false;
    bool is_writable = false;
  };

  [[nodiscard]] mux::Stream& open() {
    mux::Stream* stream = session_->open(now());
    if (stream == nullptr) test::fail("no stream can be opened");
    return *stream;
  }
  [[nodiscard]] mux::Session& session() { return *session_; }
  // smux answers only what has ended; in the others a client that has asked may say more.
  [[nodiscard]] bool ends_requests() const { return protocol_ == mux::Protocol::kSmux; }
  void close(mux::Stream& stream) { session_->close(stream, true, now()); }

  // Sends what waits, waits for what comes, and tells what has happened.
  [[nodiscard]] const std::vector<Event>& turn() {
    events_.clear();
    send();
    pollfd waited{client_.fd(), static_cast<short>(has_unsent() ? POLLIN | POLLOUT : POLLIN), 0};
    if (::poll(&waited, 1, events_.empty() ? kLongestTurn : 0) < 0) test::fail_errno("poll");
    if ((waited.revents & POLLIN) != 0) receive();
    if (const auto at = session_->wake_at(); at && *at <= now()) session_->wake(now());
    for (const Event& event : events_) {
      if (event.received > 0) session_->consumed(*event.stream, event.received, now());
    }
    if (session_->ending() != mux::Ending::kNone) test::fail("the session has ended");
    return events_;
  }
  // What waits goes out as far as the socket takes it.
  void send() {
    while (has_unsent()) {
      if (out_.empty()) session_->send(out_, kRoom, now());
      const ssize_t sent = ::send(client_.fd(), out_.data() + begin_, out_.size() - begin_,
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) return;
      if (sent < 0) test::fail_errno("send");
      begin_ += static_cast<std::size_t>(sent);
      if (begin_ == out_.size()) out_.clear(), begin_ = 0;
    }
  }

 private:
  static constexpr int kLongestTurn = 10;  // ms
  static constexpr std::size_t kRoom = 256 * 1024;

  static mux::Time now() {
    return std::chrono::duration_cast<mux::Time>(test::Clock::now().time_since_epoch());
  }
  [[nodiscard]] bool has_unsent() const { return !out_.empty() || session_->has_output(); }
  void receive() {
    const ssize_t got = ::recv(client_.fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) test::fail("the server has closed the connection");
    session_->receive({buffer_.data(), static_cast<std::size_t>(got)}, now());
  }

  bool opened(mux::Stream& /*stream*/) override { test::fail("the server opens a stream"); }
  void data(mux::Stream& stream, std::string_view bytes) override {
    events_.push_back({.stream = &stream, .received = bytes.size()});
  }
  void ended(mux::Stream& stream) override {
    events_.push_back({.stream = &stream, .is_ended = true});
  }
  void broken(mux::Stream& stream) override {
    test::fail("stream " + std::to_string(stream.id) + " is broken off");
  }
  void writable(mux::Stream& stream) override {
    events_.push_back({.stream = &stream, .is_writable = true});
  }

  test::Client client_;
  mux::Protocol protocol_;
  // Ends a stream when it closes it, as the Go clients do.
  mux::Limits limits_{.max_streams = 1'000'000, .silence = mux::Time{0}, .fin_delay = mux::Time{0}};
  mux::Worker worker_;
  std::unique_ptr<mux::Session> session_;
  std::string out_;
  std::size_t begin_ = 0;  // of what is still to be sent of it
  std::array<char, 256 * 1024> buffer_;
  std::vector<Event> events_;
};

}  // namespace drover::bench

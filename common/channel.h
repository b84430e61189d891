// One end of the socket pair between the master and a child: whole messages with their descriptors,
// sent without blocking. A message that finds the pair full waits in memory (the peer is slow or
// stopped) up to a bound.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/event.h"
#include "common/protocol.h"
#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {

struct Message {
  MessageType type{};
  std::string body;
  std::vector<UniqueFd> fds;

  // The body as a struct at its front, or an error when it is too short.
  template <class Body>
  [[nodiscard]] Result<Body> body_as() const;
};

// Encoding apart from the socket, for tests and the fuzzer.
[[nodiscard]] std::string encode_message(MessageType type, std::string_view body);
[[nodiscard]] Result<Message> decode_message(std::string_view packet);

// One message of a channel's socket, without blocking; nothing: none has come. An error: the peer
// is gone, or sent what it must not.
[[nodiscard]] Result<std::optional<Message>> receive_message(int fd);

// Two connected ends, close-on-exec and non-blocking.
struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
[[nodiscard]] Result<SocketPair> make_seqpacket_pair();

class Channel {
 public:
  struct Listener {
    virtual void on_message(Message message) = 0;
    // A packet may be about to be read, perhaps with descriptors: make room for them.
    virtual void before_receive() {}
    virtual void on_channel_closed() = 0;  // the peer is gone, or sent what it must not

   protected:
    ~Listener() = default;
  };

  // Both must outlive the channel. The channel may be destroyed inside a callback of the listener.
  Channel(event_base* base, UniqueFd fd, Listener* listener);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  // Descriptors are copied: the caller may close its own when send() returns.
  void send(MessageType type, std::string_view body = {}, std::span<const int> fds = {});
  template <class Body>
  void send_body(MessageType type, const Body& body, std::span<const int> fds = {}) {
    send(type, {reinterpret_cast<const char*>(&body), sizeof body}, fds);
  }
  // Blocks until what waits has been sent; for a child that is about to exit.
  void flush();
  // Delivers what has arrived already; for a peer that has just died and may have said why.
  void read_pending();

 private:
  struct Outgoing {
    std::string packet;
    std::vector<UniqueFd> fds;
  };
  void on_event(short what);
  void receive(int most);
  bool receive_one();
  void send_waiting();
  void watch();
  void fail();

  event_base* base_;
  UniqueFd fd_;
  Listener* listener_;
  std::deque<Outgoing> waiting_;
  // Turns false when the channel goes; who calls the listener keeps a copy to find that out.
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);

  Event<&Channel::on_event> event_;
};

template <class Body>
Result<Body> Message::body_as() const {
  if (body.size() < sizeof(Body)) return Error("message is too short");
  Body value;
  std::copy_n(body.data(), sizeof value, reinterpret_cast<char*>(&value));
  return value;
}

}  // namespace drover

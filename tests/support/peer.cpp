#include "tests/support/peer.h"

#include <algorithm>

#include "tests/support/failure.h"

namespace drover::test {
namespace {

constexpr std::size_t kHeader = 8;

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

std::string bytes_of(std::size_t value, int size) {
  std::string out;
  while (size-- > 0) out += static_cast<char>(value >> (8 * size));
  return out;
}

class SocketPeer final : public Peer {
 public:
  explicit SocketPeer(const Endpoint& to) : client_(to) {}

  std::size_t send_some(std::string_view bytes) override { return client_.send_some(bytes); }
  std::string receive_some() override { return client_.receive_some(); }
  Client::Next next(Millis patience) override { return client_.next(patience); }
  void half_close() override { client_.half_close(); }
  void reset() override { client_.reset(); }

 private:
  Client client_;
};

// The first stream of a connection of its own. It credits what the test has received.
class StreamPeer final : public Peer {
 public:
  explicit StreamPeer(const Endpoint& carrier) : session_(carrier) {
    session_.send(kStream, CarrierClient::Type::kData);  // or nobody would know of it
  }

  std::size_t send_some(std::string_view bytes) override {
    while (session_.has_news(Millis{0})) take_frame();
    if (is_broken_) fail("send: the stream was broken off");
    const std::string_view part = bytes.substr(0, std::min<std::size_t>(may_send_, 16'384));
    if (part.empty()) return 0;
    may_send_ -= part.size();
    session_.send(kStream, CarrierClient::Type::kData, part);
    return part.size();
  }
  std::string receive_some() override {
    while (received_.empty() && !has_ended_) take_frame();
    if (received_.empty() && is_broken_) fail("receive: the stream was broken off");
    if (!received_.empty() && !is_broken_) session_.credit(kStream, received_.size());
    return std::exchange(received_, {});
  }
  Client::Next next(Millis patience) override {
    const auto end = Clock::now() + patience;
    while (received_.empty() && !has_ended_) {
      if (!session_.has_news(Millis{millis_left(end)})) return Client::Next::kSilence;
      take_frame();
    }
    if (!received_.empty()) return Client::Next::kBytes;
    return is_broken_ ? Client::Next::kError : Client::Next::kEnd;
  }
  void half_close() override { session_.send(kStream, CarrierClient::Type::kEnd); }
  void reset() override { session_.send(kStream, CarrierClient::Type::kReset); }

 private:
  static constexpr std::uint32_t kStream = 1;

  // With the connection its streams have gone.
  void take_frame() {
    try {
      on_frame(session_.receive());
    } catch (const std::exception&) {
      has_ended_ = is_broken_ = true;
    }
  }
  void on_frame(const CarrierClient::Frame& frame) {
    switch (frame.type) {
      case CarrierClient::Type::kData:
        received_ += frame.bytes;
        break;
      case CarrierClient::Type::kCredit:
        may_send_ += credit_of(frame);
        break;
      case CarrierClient::Type::kReset:
        is_broken_ = true;
        [[fallthrough]];
      case CarrierClient::Type::kEnd:
        has_ended_ = true;
    }
  }

  CarrierClient session_;
  std::string received_;
  std::size_t may_send_ = CarrierClient::kWindow;
  bool has_ended_ = false;
  bool is_broken_ = false;
};

}  // namespace

std::unique_ptr<Peer> make_socket_peer(const Endpoint& to) {
  return std::make_unique<SocketPeer>(to);
}
std::unique_ptr<Peer> make_stream_peer(const Endpoint& carrier) {
  return std::make_unique<StreamPeer>(carrier);
}

void Peer::send_all(std::string_view bytes) {
  const auto end = Clock::now() + kPatience;
  while (!bytes.empty()) {
    const std::size_t taken = send_some(bytes);
    bytes.remove_prefix(taken);
    if (taken == 0 && Clock::now() > end) fail("send: the peer does not read");
    if (taken == 0) std::this_thread::sleep_for(kGlance);
  }
}

std::string Peer::receive(std::size_t size) {
  while (received_.size() < size) {
    const std::string more = receive_some();
    if (more.empty()) fail("receive: the end after " + std::to_string(received_.size()));
    received_ += more;
  }
  const std::string bytes = received_.substr(0, size);
  received_.erase(0, size);
  return bytes;
}

std::string Peer::receive_all() {
  std::string bytes = std::exchange(received_, {});
  for (std::string more; !(more = receive_some()).empty();) bytes += more;
  return bytes;
}

std::string Peer::exchange(std::string_view bytes) {
  send_all(bytes);
  return receive(bytes.size());
}

bool Peer::ends(Millis patience) {
  const auto end = Clock::now() + patience;
  for (;;) {
    switch (next(Millis{millis_left(end)})) {
      case Client::Next::kSilence:
        return false;
      case Client::Next::kBytes:
        static_cast<void>(receive_some());
        break;
      case Client::Next::kEnd:
      case Client::Next::kError:
        return true;
    }
  }
}

void CarrierClient::send(std::uint32_t stream, Type type, std::string_view bytes) {
  client_.send_all(frame(stream, type, bytes));
}

std::string CarrierClient::frame(std::uint32_t stream, Type type, std::string_view bytes) {
  return bytes_of(stream, 4) + static_cast<char>(type) + bytes_of(bytes.size(), 3) +
         std::string(bytes);
}

void CarrierClient::credit(std::uint32_t stream, std::size_t size_bytes) {
  send(stream, Type::kCredit, bytes_of(size_bytes, 4));
}

bool CarrierClient::has_frame() const {
  if (buffer_.size() < kHeader) return false;
  return buffer_.size() >= kHeader + number(std::string_view(buffer_).substr(5, 3));
}

CarrierClient::Frame CarrierClient::receive() {
  while (!has_frame()) {
    const std::string more = has_ended_ ? "" : client_.receive_some();
    if (more.empty()) fail("receive: the end of the carrier's connection");
    buffer_ += more;
  }
  const std::string_view all(buffer_);
  const std::size_t length = number(all.substr(5, 3));
  Frame frame{number(all.substr(0, 4)), static_cast<Type>(all[4]),
              std::string(all.substr(kHeader, length))};
  buffer_.erase(0, kHeader + length);
  return frame;
}

bool CarrierClient::has_news(Millis patience) {
  const auto end = Clock::now() + patience;
  while (!has_frame() && !has_ended_) {
    const Client::Next next = client_.next(Millis{millis_left(end)});
    if (next == Client::Next::kSilence) return false;
    if (next != Client::Next::kBytes) {
      has_ended_ = true;
    } else {
      buffer_ += client_.receive_some();
    }
  }
  return true;
}

std::size_t credit_of(const CarrierClient::Frame& frame) { return number(frame.bytes); }

}  // namespace drover::test

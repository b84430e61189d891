// A client of a server that is reached over a socket, or over a stream of the test module carrier
// (tests/modules/carrier has the frames), with the same words: what holds for one must hold for the
// other.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/client.h"

namespace drover::test {

class Peer {
 public:
  virtual ~Peer() = default;

  // What is taken now, 0 when nothing is.
  virtual std::size_t send_some(std::string_view bytes) = 0;
  // What is there, waiting for it; empty at the end of the stream. Throws when it was broken off,
  // or nothing came in time.
  virtual std::string receive_some() = 0;
  virtual Client::Next next(Millis patience = kPatience) = 0;
  virtual void half_close() = 0;
  virtual void reset() = 0;

  void send_all(std::string_view bytes);
  [[nodiscard]] std::string receive(std::size_t size);
  [[nodiscard]] std::string receive_all();
  [[nodiscard]] std::string exchange(std::string_view bytes);
  // The end of the stream, or that it is broken off, comes in time, whatever comes before.
  [[nodiscard]] bool ends(Millis patience = kPatience);

 private:
  std::string received_;  // and not asked for yet
};

[[nodiscard]] std::unique_ptr<Peer> make_socket_peer(const Endpoint& to);
[[nodiscard]] std::unique_ptr<Peer> make_stream_peer(const Endpoint& carrier);

// The carrier's connection, frame by frame.
class CarrierClient {
 public:
  enum class Type : std::uint8_t { kData, kEnd, kReset, kCredit };
  struct Frame {
    std::uint32_t stream = 0;
    Type type = Type::kData;
    std::string bytes;
  };
  static constexpr std::size_t kWindow = 65'536;

  explicit CarrierClient(const Endpoint& to) : client_(to) {}

  [[nodiscard]] static std::string frame(std::uint32_t stream, Type type, std::string_view bytes);

  void send(std::uint32_t stream, Type type, std::string_view bytes = {});
  void credit(std::uint32_t stream, std::size_t size_bytes);
  // Throws at the end of the connection.
  [[nodiscard]] Frame receive();
  // Whether a whole frame, or the end of the connection, comes in time.
  [[nodiscard]] bool has_news(Millis patience);
  [[nodiscard]] Client& client() { return client_; }

 private:
  [[nodiscard]] bool has_frame() const;

  Client client_;
  std::string buffer_;
  bool has_ended_ = false;
};

// Of a credit frame.
[[nodiscard]] std::size_t credit_of(const CarrierClient::Frame& frame);

}  // namespace drover::test

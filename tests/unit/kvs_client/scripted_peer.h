// The other end of a client's socket, which says what a test has it say.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "modules/kvs/client/client.h"
#include "modules/kvs/kv1/frame.h"
#include "tests/support/failure.h"

namespace kvs::client {

struct Heard {
  std::uint8_t type = 0;
  std::uint32_t rid = 0;
  std::string key;
  std::string value;
  bool operator==(const Heard&) const = default;
};

[[nodiscard]] inline std::string frame(std::uint8_t type, std::uint32_t rid, std::string_view key,
                                       std::string_view value) {
  std::string bytes;
  kv1::append_frame(bytes, {type, rid, key, value});
  return bytes;
}

class ScriptedPeer {
 public:
  ScriptedPeer() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
      drover::test::fail_errno("socketpair");
    if (::fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0) drover::test::fail_errno("fcntl");
    socket_.reset(ends[0]);
    client_end_.reset(ends[1]);
  }

  // Once.
  [[nodiscard]] Pipeline pipeline(Options options = {}) {
    return {std::move(client_end_), options};
  }
  [[nodiscard]] Client client(Options options = {}) { return Client(pipeline(options)); }

  // False when the client has gone.
  bool says(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  // The next request, waiting for it; type 0 at the end.
  Heard hears() {
    std::string_view bytes = unread_;
    for (;;) {
      const auto received = reader_.next(bytes);
      if (received) {
        const kv1::Frame& one = received->frame;
        Heard heard{one.type, one.rid, std::string(one.key), std::string(one.value)};
        unread_ = std::string(bytes);
        return heard;
      }
      const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
      if (count <= 0) return {};
      bytes = std::string_view(buffer_.data(), static_cast<std::size_t>(count));
    }
  }

  void closes() { socket_.reset(); }
  [[nodiscard]] int fd() const { return socket_.get(); }

 private:
  drover::UniqueFd socket_;
  drover::UniqueFd client_end_;
  kv1::FrameReader reader_{kv1::FrameReader::Side::kRequests,
                           {kv1::kLongestKey, kv1::kLongestValue}};
  std::string buffer_ = std::string(65536, '\0');
  std::string unread_;
};

}  // namespace kvs::client

// Socket addresses and CIDR blocks: parsing for the configuration, printing for people.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace drover {

// An address a socket can be bound to or has as its peer: IPv4, IPv6 or a unix path. A value.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t size);

  // "127.0.0.1:7007", "[::1]:7007", "*:7007" (0.0.0.0), "[::]:7007", "unix:/run/x.sock". Names are
  // not resolved; "unix:@abstract" is refused because an abstract socket has no permissions.
  static Result<Address> parse(std::string_view text);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  [[nodiscard]] socklen_t size() const { return size_; }
  [[nodiscard]] int family() const { return storage_.ss_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  [[nodiscard]] std::uint16_t port() const;  // 0 for unix
  [[nodiscard]] std::string path() const;    // unix only, else empty
  // The form that parse() reads back; "unix:" for an unnamed peer.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Address& a, const Address& b) {
    return a.to_string() == b.to_string();
  }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

// An IP peer in 20 bytes, for the record of a connection: v4 is kept as v4-mapped v6, a unix peer
// as all zero.
struct PeerAddress {
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;    // host order
  std::uint16_t family = 0;  // AF_INET, AF_INET6, AF_UNIX; 0: unknown

  static PeerAddress from(const sockaddr* address);
  [[nodiscard]] std::string to_string() const;     // "127.0.0.1:5000", "[::1]:5000", "unix:"
  [[nodiscard]] std::string ip_to_string() const;  // without the port
};

// "10.0.0.0/8", "2001:db8::/32", a bare address, "all", or "unix:" (every unix peer).
class Cidr {
 public:
  static Result<Cidr> parse(std::string_view text);
  [[nodiscard]] bool contains(const PeerAddress& peer) const;
  [[nodiscard]] std::string to_string() const;

 private:
  std::array<std::uint8_t, 16> prefix_{};
  int bits_ = 0;             // of the v4-mapped form: 96..128 for v4
  bool any_family_ = false;  // "all"
  bool unix_only_ = false;   // "unix:"
};

}  // namespace drover

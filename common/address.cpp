#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "common/directive_text.h"
#include "common/units.h"

namespace drover {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;
constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

Error not_an_address(std::string_view text) {
  return Error(quote(text) +
               " is not an address; write 127.0.0.1:7007, [::1]:7007, *:7007 or unix:/run/x.sock");
}

Result<Address> parse_unix(std::string_view text) {
  const std::string_view path = text.substr(kUnixPrefix.size());
  if (path.empty()) return Error(quote(text) + " has no path; write unix:/run/x.sock");
  if (path.front() == '@') {
    return Error(quote(text) + " is an abstract socket, which has no permissions; write a path");
  }
  if (path.find('\0') != std::string_view::npos) return Error(quote(text) + " contains a NUL byte");
  if (path.size() > kLongestPath) {
    return Error(quote(text) + " is too long for a unix socket: " + std::to_string(path.size()) +
                 " bytes; use at most " + std::to_string(kLongestPath));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return Address(reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(kPathOffset + path.size() + 1));
}

Result<std::uint16_t> parse_port(std::string_view text) {
  auto number = parse_number(text);
  if (!number || *number > 65535) {
    return Error(quote(text) + " is not a port; write a number from 0 to 65535");
  }
  return static_cast<std::uint16_t>(*number);
}

Result<Address> make_v4(std::string_view host, std::uint16_t port, std::string_view text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const std::string name = host == "*" ? "0.0.0.0" : std::string(host);
  if (inet_pton(AF_INET, name.c_str(), &address.sin_addr) != 1 ||
      name.size() != std::strlen(name.c_str())) {
    return not_an_address(text);
  }
  return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

Result<Address> make_v6(std::string_view host, std::uint16_t port, std::string_view text) {
  if (host.find('%') != std::string_view::npos) {
    return Error(quote(text) +
                 " names an interface, which is not supported; use an address without %");
  }
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  const std::string name(host);
  if (inet_pton(AF_INET6, name.c_str(), &address.sin6_addr) != 1 ||
      name.size() != std::strlen(name.c_str())) {
    return not_an_address(text);
  }
  return Address(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

bool is_mapped(const std::array<std::uint8_t, 16>& ip) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
}

std::string print_v4(const void* ip) {
  std::array<char, INET_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET, ip, text.data(), text.size());
}

std::string print_v6(const void* ip) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET6, ip, text.data(), text.size());
}

std::string print_ip(const std::array<std::uint8_t, 16>& ip) {
  return is_mapped(ip) ? print_v4(&ip[12]) : print_v6(ip.data());
}

// The first `bits` bits, the rest zero.
std::array<std::uint8_t, 16> masked(std::array<std::uint8_t, 16> ip, int bits) {
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(bits - 8 * i, 0, 8);
    ip[static_cast<std::size_t>(i)] &= static_cast<std::uint8_t>(0xff00 >> kept);
  }
  return ip;
}

// IPv4 in its v4-mapped form. Nothing when the text is no IP address.
bool parse_ip(const std::string& text, std::array<std::uint8_t, 16>& ip) {
  if (text.find('\0') != std::string::npos) return false;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), ip.begin());
  return inet_pton(AF_INET, text.c_str(), &ip[12]) == 1 ||
         inet_pton(AF_INET6, text.c_str(), ip.data()) == 1;
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t size)
    : size_(std::min<socklen_t>(size, sizeof storage_)) {
  if (address != nullptr) std::memcpy(&storage_, address, size_);
}

Result<Address> Address::parse(std::string_view text) {
  if (text.substr(0, kUnixPrefix.size()) == kUnixPrefix) return parse_unix(text);
  if (!text.empty() && parse_number(text).ok()) {
    return Error(quote(text) + " is only a port; write *:" + std::string(text) +
                 " for all interfaces or 127.0.0.1:" + std::string(text));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return not_an_address(text);
  const std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!is_bracketed && host.find(':') != std::string_view::npos) return not_an_address(text);
  DROVER_TRY(const std::uint16_t port, parse_port(text.substr(colon + 1)));
  if (is_bracketed) return make_v6(host.substr(1, host.size() - 2), port, text);
  return make_v4(host, port, text);
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  }
  return 0;
}

std::string Address::path() const {
  if (!is_unix() || size_ <= kPathOffset) return {};
  const char* path = reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
  const std::size_t length = size_ - kPathOffset;
  if (path[0] == '\0') return length == 1 ? "" : "@" + std::string(path + 1, length - 1);
  return {path, strnlen(path, length)};
}

std::string Address::to_string() const {
  if (is_unix()) return std::string(kUnixPrefix) + path();
  if (family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage_);
    return print_v4(&v4->sin_addr) + ":" + std::to_string(port());
  }
  if (family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
    return "[" + print_v6(&v6->sin6_addr) + "]:" + std::to_string(port());
  }
  return {};
}

PeerAddress PeerAddress::from(const sockaddr* address) {
  PeerAddress peer;
  peer.family = address->sa_family;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), peer.ip.begin());
    std::memcpy(&peer.ip[12], &v4->sin_addr, 4);
    peer.port = ntohs(v4->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    std::memcpy(peer.ip.data(), &v6->sin6_addr, 16);
    peer.port = ntohs(v6->sin6_port);
    // An IPv4 client of a dual-stack listener is an IPv4 client.
    if (is_mapped(peer.ip)) peer.family = AF_INET;
  }
  return peer;
}

std::string PeerAddress::to_string() const {
  if (family == AF_INET) return ip_to_string() + ":" + std::to_string(port);
  if (family == AF_INET6) return "[" + ip_to_string() + "]:" + std::to_string(port);
  return ip_to_string();
}

std::string PeerAddress::ip_to_string() const {
  if (family == AF_UNIX) return std::string(kUnixPrefix);
  if (family == AF_INET || family == AF_INET6) return print_ip(ip);
  return "unknown";
}

Result<Cidr> Cidr::parse(std::string_view text) {
  Cidr cidr;
  cidr.any_family_ = text == "all";
  cidr.unix_only_ = text == kUnixPrefix;
  if (cidr.any_family_ || cidr.unix_only_) return cidr;

  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string ip(text.substr(0, slash));
  if (!parse_ip(ip, cidr.prefix_)) {
    return Error(
        quote(text) +
        " is not an address range; write 10.0.0.0/8, 2001:db8::/32, an address, all or unix:");
  }
  const bool is_v4 = ip.find(':') == std::string::npos;
  const int widest = is_v4 ? 32 : 128;
  cidr.bits_ = 128;
  if (slash < text.size()) {
    auto bits = parse_number(text.substr(slash + 1));
    if (!bits || *bits > widest) {
      return Error(quote(text) + " has no valid mask; write a number from 0 to " +
                   std::to_string(widest) + " after the slash");
    }
    cidr.bits_ = static_cast<int>(*bits) + (is_v4 ? kMappedBits : 0);
  }
  const auto network = masked(cidr.prefix_, cidr.bits_);
  if (network != cidr.prefix_) {
    cidr.prefix_ = network;
    return Error(quote(text) + " has bits set below its mask; write " + cidr.to_string());
  }
  return cidr;
}

bool Cidr::contains(const PeerAddress& peer) const {
  if (any_family_) return true;
  if (peer.family == AF_UNIX) return unix_only_;
  if (unix_only_ || (peer.family != AF_INET && peer.family != AF_INET6)) return false;
  // "::/0" means IPv6; only a range inside ::ffff:0:0/96 holds IPv4 peers.
  if (bits_ < kMappedBits && peer.family == AF_INET) return false;
  return masked(peer.ip, bits_) == prefix_;
}

std::string Cidr::to_string() const {
  if (any_family_) return "all";
  if (unix_only_) return std::string(kUnixPrefix);
  if (bits_ == 128) return print_ip(prefix_);
  if (bits_ >= kMappedBits && is_mapped(prefix_)) {
    return print_v4(&prefix_[12]) + "/" + std::to_string(bits_ - kMappedBits);
  }
  return print_v6(prefix_.data()) + "/" + std::to_string(bits_);
}

}  // namespace drover

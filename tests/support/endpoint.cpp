#include "tests/support/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/support/failure.h"

namespace drover::test {
namespace {

Endpoint from(const void* address, size_t size) {
  Endpoint endpoint;
  std::memcpy(&endpoint.address, address, size);
  endpoint.size = static_cast<socklen_t>(size);
  return endpoint;
}

// Below the ephemeral range, so that no client's own port can be in the way when the daemon binds.
constexpr unsigned kFirstPort = 10'000;
constexpr unsigned kPorts = 22'000;

bool can_bind(unsigned port) {
  const UniqueFd fd = make_socket(AF_INET6);
  const int off = 0;
  ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_port = htons(static_cast<std::uint16_t>(port));
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
}

}  // namespace

Endpoint Endpoint::v4(std::uint16_t port, const std::string& host) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &in.sin_addr) != 1) fail("not an IPv4 address: " + host);
  return from(&in, sizeof in);
}

Endpoint Endpoint::v6(std::uint16_t port) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  in.sin6_addr = in6addr_loopback;
  return from(&in, sizeof in);
}

Endpoint Endpoint::unix_path(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.size() >= sizeof un.sun_path) fail("too long for a unix socket: " + path);
  std::copy(path.begin(), path.end(), un.sun_path);
  return from(&un, offsetof(sockaddr_un, sun_path) + path.size() + 1);
}

std::uint16_t Endpoint::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  if (family() == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port);
  return 0;
}

std::string Endpoint::to_string() const {
  if (family() == AF_UNIX) {
    if (size <= offsetof(sockaddr_un, sun_path)) return "";
    return std::string("unix:") + reinterpret_cast<const sockaddr_un*>(&address)->sun_path;
  }
  std::string text(INET6_ADDRSTRLEN, '\0');
  const void* ip =
      family() == AF_INET
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&address)->sin_addr)
          : &reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  ::inet_ntop(family(), ip, text.data(), INET6_ADDRSTRLEN);
  text.resize(std::strlen(text.c_str()));
  if (family() == AF_INET6) text = "[" + text + "]";
  return text + ":" + std::to_string(port());
}

std::uint16_t free_port() {
  // Tests run side by side: each process walks the range from a place of its own.
  static unsigned next = std::random_device{}();
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const unsigned port = kFirstPort + next++ % kPorts;
    if (can_bind(port)) return static_cast<std::uint16_t>(port);
  }
  fail("no free port found");
}

UniqueFd make_socket(int family, const std::string& source) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) fail_errno("socket");
  if (family == AF_UNIX) return fd;
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (family != AF_INET || source.empty()) return fd;
  ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const Endpoint local = Endpoint::v4(0, source);
  if (::bind(fd.get(), local.get(), local.size) != 0) fail_errno("bind " + source);
  return fd;
}

std::string local_name(int fd) {
  Endpoint local;
  local.size = sizeof local.address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local.address), &local.size) != 0) return "";
  if (local.family() != AF_UNIX) return local.to_string();
  struct stat status {};
  ::fstat(fd, &status);
  return "unix:" + std::to_string(status.st_ino);
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace drover::test

// Where a client connects to, and raw sockets for it. Kept apart from the daemon's own address
// parser: a harness that shares the code under test shares its mistakes.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "common/unique_fd.h"

namespace drover::test {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;

  static Endpoint v4(std::uint16_t port, const std::string& host = "127.0.0.1");
  static Endpoint v6(std::uint16_t port);  // [::1]
  static Endpoint unix_path(const std::string& path);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  [[nodiscard]] int family() const { return address.ss_family; }
  [[nodiscard]] std::uint16_t port() const;     // 0 for unix
  [[nodiscard]] std::string to_string() const;  // "127.0.0.1:7007", "[::1]:7007", "unix:/path"
};

// A TCP port that nobody uses now on any local address of either family; no port is given out twice
// in a process.
[[nodiscard]] std::uint16_t free_port();

// A non-blocking, close-on-exec stream socket of that family; bound to `source` (127.0.0.x) when it
// is not empty, with the port left to connect() so that one source address serves more than 28,000
// connections to different targets.
[[nodiscard]] UniqueFd make_socket(int family, const std::string& source = "");

// The socket's own name as the server sees it: "127.0.0.2:40001"; for a unix socket, which has
// none, "unix:<inode>".
[[nodiscard]] std::string local_name(int fd);

// close() sends RST instead of FIN.
void reset_on_close(int fd);

}  // namespace drover::test

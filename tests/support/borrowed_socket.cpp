#include "tests/support/borrowed_socket.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "tests/support/endpoint.h"
#include "tests/support/failure.h"

namespace drover::test {
namespace {

// Copies each descriptor in turn until one fits (pidfd_getfd(2); Debian 12's glibc has no wrapper).
UniqueFd borrow(pid_t pid, const std::string& what, const std::function<bool(int)>& fits) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.is_open()) fail_errno("pidfd_open");
  const auto folder = std::filesystem::path("/proc") / std::to_string(pid) / "fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const int number = std::stoi(entry.path().filename().string());
    UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
    if (copy.is_open() && fits(copy.get())) return copy;
  }
  fail("process " + std::to_string(pid) + " has no socket " + what);
}

std::uint16_t port_by(int (*ask)(int, sockaddr*, socklen_t*), int fd) {
  Endpoint endpoint;
  endpoint.size = sizeof endpoint.address;
  auto* address = reinterpret_cast<sockaddr*>(&endpoint.address);
  return ask(fd, address, &endpoint.size) == 0 ? endpoint.port() : std::uint16_t{0};
}

bool listens(int fd) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value == 1;
}

}  // namespace

UniqueFd borrow_listener(pid_t pid, std::uint16_t port) {
  return borrow(pid, "listening on port " + std::to_string(port),
                [port](int fd) { return listens(fd) && port_by(::getsockname, fd) == port; });
}

UniqueFd borrow_connection(pid_t pid, std::uint16_t client_port) {
  return borrow(pid, "connected to port " + std::to_string(client_port),
                [client_port](int fd) { return port_by(::getpeername, fd) == client_port; });
}

int socket_option(int fd, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  if (::getsockopt(fd, level, name, &value, &size) != 0) fail_errno("getsockopt");
  return value;
}

}  // namespace drover::test

// A duplicate of a socket of another process, to ask the kernel how it was set up.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "common/unique_fd.h"

namespace drover::test {

// The socket of `pid` that listens on the port; throws when there is none.
[[nodiscard]] UniqueFd borrow_listener(pid_t pid, std::uint16_t port);

// The socket of `pid` connected to `client_port` on the other side.
[[nodiscard]] UniqueFd borrow_connection(pid_t pid, std::uint16_t client_port);

// An int option of it.
[[nodiscard]] int socket_option(int fd, int level, int name);

}  // namespace drover::test

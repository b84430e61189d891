// Accepted descriptors on their way from the acceptor to a worker: one SOCK_SEQPACKET message
// carries up to kMaxPassed of them (SCM_RIGHTS) with the ids of their listeners. Until somebody
// receives the message, the kernel keeps them open.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/protocol.h"
#include "common/unique_fd.h"

namespace drover {

struct Passed {
  UniqueFd fd;
  std::uint32_t listener_id = 0;
};

struct ReceivedBatch {
  std::vector<Passed> connections;
  std::size_t lost = 0;  // descriptors that the kernel could not give us: the table was full
};

// Sends 1..kMaxPassed connections in one message, never blocking. 0, or errno; then nothing was
// sent. The caller's descriptors stay open either way. Acceptor.
[[nodiscard]] int send_batch(int send_fd, std::span<const Passed> batch);

// How many descriptors the next message carries, without taking it; nothing: no message waits.
// Worker.
[[nodiscard]] std::optional<std::size_t> peek_batch(int receive_fd);

// Takes the next message. Empty when none waits or it is malformed. Worker.
[[nodiscard]] ReceivedBatch receive_batch(int receive_fd);

// Whether `count` more descriptors fit into this process's table. The kernel drops what does not
// fit while it delivers a message, so this is asked, by opening that many, before a message is
// taken.
[[nodiscard]] bool has_descriptors(int some_fd, std::size_t count);

}  // namespace drover

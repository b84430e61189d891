// What the kernel says of listening sockets, asked over sock_diag(7): how many connections wait to
// be accepted, how many may, and how many handshakes are not complete. One question for all
// sockets of the network namespace; nothing here waits for anybody.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "common/address.h"

namespace drover {

// A listening socket's accept queue, in connections.
struct AcceptQueueLength {
  std::uint32_t queued = 0;
  std::uint32_t backlog = 0;  // how many may wait: the socket's, as the kernel has capped it
};

class SocketQueues {
 public:
  // What cannot be had (sock_diag is a module of the kernel, which a container may lack) is not
  // known afterwards.
  static SocketQueues read();

  // Nothing when it does not listen, or is not known.
  [[nodiscard]] std::optional<AcceptQueueLength> of(int fd) const;
  // By address, each handshake at the one of `listening` that it goes to: the address itself, else
  // the wildcard of its port. The kernel does not say to which socket of a reuseport group.
  // Nothing when they are not known, and for unix sockets, which have no handshake.
  [[nodiscard]] std::vector<std::optional<std::uint32_t>> half_open(
      const std::vector<Address>& listening) const;

 private:
  bool has_tcp_ = false;
  std::map<std::uint64_t, AcceptQueueLength> by_inode_;
  std::vector<PeerAddress> half_open_;  // the local address of each
};

// Which of `listening` a handshake at `local` goes to; nothing when it is another process's.
[[nodiscard]] std::optional<std::size_t> listener_of(const PeerAddress& local,
                                                     const std::vector<Address>& listening);

}  // namespace drover

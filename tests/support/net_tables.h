// The kernel's view of connections: what waits in a listener's queue, what is half-open, and which
// process holds the server's end of a client's connection.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace drover::test {

struct QueueState {
  int queued = 0;     // established, not accepted yet, over all sockets that listen on the port
  int half_open = 0;  // SYN received, handshake (or the first byte, with `deferred`) not complete
  int listeners = 0;  // sockets in LISTEN
};

// For a TCP port, both families.
[[nodiscard]] QueueState queue_state(std::uint16_t port);

// How many of the sockets that listen on the port have something in their queue.
[[nodiscard]] int listeners_with_queue(std::uint16_t port);

// For a listening unix socket (asks `ss`).
[[nodiscard]] int unix_queue_length(const std::string& path);

// Names ("127.0.0.2:40001") of the clients of server port `port` whose accepted connection `pid`
// holds.
[[nodiscard]] std::set<std::string> clients_of(pid_t pid, std::uint16_t port);

// The same for a unix socket's path: names ("unix:<inode>") as local_name() gives them for a client
// there.
[[nodiscard]] std::set<std::string> clients_of(pid_t pid, const std::string& path);

// Which of `candidates` holds the server's end of the connection of that client; 0: none, it waits
// in a queue.
[[nodiscard]] pid_t owner_pid_of(const std::string& client, std::uint16_t port,
                                 const std::vector<pid_t>& candidates);

}  // namespace drover::test

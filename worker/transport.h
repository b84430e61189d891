// What carries a connection's bytes: a socket, or a stream that a module carries inside of another
// connection. The connection above knows no difference. Calls are as those of the system: -1 and
// errno, a short count when there is no room; nothing blocks.
#pragma once

#include <event2/event.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "modules/sdk/drover_module.h"

namespace drover {

class Connection;

class Transport {
 public:
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // At most so many bytes; 0: the peer's end of stream.
  virtual ssize_t receive(std::span<char> buffer) = 0;
  // `more_follows` at once, the end of stream or a file: the last packet may wait for it.
  virtual ssize_t send(std::span<iovec> slices, bool more_follows) = 0;
  // From a file; 0: it is shorter than was said.
  virtual ssize_t send_file(int file, std::uint64_t offset, std::size_t size_bytes) = 0;
  // Our end of stream. False: the peer has gone.
  virtual bool end_output() = 0;
  // Both ways are over. `is_in_order`: both ends of stream were sent and read.
  virtual void close(drover_close_reason reason, bool is_in_order) = 0;

  // Calls the connection's on_event() when one of `what` (EV_READ, EV_WRITE) is ready. With EV_ET
  // nothing is to be read: only a reset is told. Replaces what was watched before.
  virtual void watch(event_base* base, short what, Connection* connection) = 0;
  // What of it is ready now without the loop's finding out: the connection takes it at the end of
  // the batch. 0 of a socket.
  [[nodiscard]] virtual short ready() const { return 0; }
  // Whether the peer has reset it. `peer_ended`: its end of stream has been read.
  [[nodiscard]] virtual bool is_reset(bool peer_ended) const = 0;
  // What became of the connecting: 0 or an errno.
  [[nodiscard]] virtual int connect_error() const { return 0; }

 protected:
  Transport() = default;
};

// A connection has room for one inside of its own memory.
inline constexpr std::size_t kTransportRoom = 144;

}  // namespace drover

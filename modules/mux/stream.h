// One stream of a session, as the session keeps it. Its owner (whoever listens to the session) sees
// the number, what has been counted, and a place for its own pointer; all else is the session's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "modules/mux/time.h"

namespace mux {

struct Stream {
  std::uint32_t id = 0;
  void* owner = nullptr;  // the listener's, from opened() on

  // Input, in bytes of payload since the stream was opened.
  std::uint64_t received = 0;
  std::uint64_t consumed = 0;  // by the owner; what is between waits at the owner's
  std::uint64_t granted = 0;   // the peer may send up to here; unused where there is no window
  std::uint32_t window = 0;    // what is granted beyond consumed, at most
  Time granted_at{};           // the last time, for how fast the window is used up

  // Output. `pending` waits for its turn and for the peer's window, from `sent_of_pending` on.
  std::string pending;
  std::size_t pending_begin = 0;
  std::uint64_t sent = 0;
  std::uint64_t allowed = 0;       // by the peer; unused where there is no window
  std::uint64_t read_by_peer = 0;  // of what was sent, as far as it has said (xsmux 2)
  bool is_waiting = false;         // for room in the session, in its queue
  bool wants_writable = false;     // write() took less than there was

  bool is_acknowledged = false;  // our first has been sent: yamux's ACK, xsmux 2's UPD
  bool is_ended_by_peer = false;
  bool is_ending = false;        // no more is written: END or FIN follows the last byte
  bool is_ended = false;         // ... and has been sent
  bool is_orphaned = false;      // the owner has closed it; the session sends on what it took
  std::optional<Time> deadline;  // of what is left of it: a late FIN, the linger

  // The turn: streams with something to send, in a ring.
  Stream* next_ready = nullptr;
  Stream* previous_ready = nullptr;

  [[nodiscard]] std::size_t pending_size() const { return pending.size() - pending_begin; }
  [[nodiscard]] bool is_ready() const { return next_ready != nullptr; }
};

}  // namespace mux

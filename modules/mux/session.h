// One connection that carries streams, of any of the three protocols, in either role: bytes in,
// events out, and bytes to send. No socket, no loop, no clock: it runs in a worker, in a test and
// in a client alike.
//
// The owner calls receive() with what has come, and after any call, when it is about to send:
//   has_output()  -> send() as much as the connection would take
//   wake_at()     -> wake() at that time
//   reads()       -> whether more is to be read
//   ending()      -> kNone: go on; otherwise close the connection when the output has left
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "modules/mux/limits.h"
#include "modules/mux/stream.h"
#include "modules/mux/time.h"

namespace mux {

enum class Role { kServer, kClient };

enum class Ending {
  kNone,
  kDone,           // drained: the last stream has ended
  kProtocolError,  // the peer's; see error()
  kSilent,         // nothing came from the peer in time
  kPeer,           // it said that it goes (yamux GoAway other than 0)
};

// What a session tells its owner, from inside receive(), wake() and send(). The owner does not call
// the session from inside of them.
class Listener {
 public:
  // The peer has opened a stream. False refuses it: nothing more is said of it.
  virtual bool opened(Stream& stream) = 0;
  // Bytes, which live during the call. The owner says consumed() when they are used.
  virtual void data(Stream& stream, std::string_view bytes) = 0;
  // The peer sends no more.
  virtual void ended(Stream& stream) = 0;
  // The stream is broken off: by the peer, or because it was over a limit. The last event of it,
  // the owner forgets it.
  virtual void broken(Stream& stream) = 0;
  // write() had taken less than there was and would take more.
  virtual void writable(Stream& stream) = 0;

 protected:
  ~Listener() = default;
};

class Session {
 public:
  virtual ~Session() = default;

  // All bytes are taken, however they are cut. After an ending they are dropped.
  virtual void receive(std::string_view bytes, Time now) = 0;

  // Appends whole frames, control frames first, then the streams in turn, until `out` has `room`
  // bytes (the last frame may go over it) or nothing is left.
  virtual void send(std::string& out, std::size_t room, Time now) = 0;
  // Something is to be sent now. Not for what may wait for a while, which send() takes along.
  [[nodiscard]] virtual bool has_output() const = 0;

  // What waits for the peer, in bytes: how many are taken. Fewer than there are: writable()
  // follows.
  virtual std::size_t write(Stream& stream, std::string_view bytes) = 0;
  // No more is written.
  virtual void end(Stream& stream) = 0;
  // The owner has used so many bytes of what data() gave.
  virtual void consumed(Stream& stream, std::size_t size_bytes, Time now) = 0;
  // The owner has done with the stream, and forgets it. In order: both ends are said or the peer
  // may be told so (an end() that is missing is meant); what was written is still sent. Otherwise
  // the peer is told that it was broken off, as far as the protocol has a word for it.
  virtual void close(Stream& stream, bool is_in_order, Time now) = 0;

  // Opens a stream of our own. Null: draining, too many, or the numbers are used up.
  virtual Stream* open(Time now) = 0;

  // The peer says nothing more, and is not taken for dead because of it.
  virtual void input_ended() = 0;

  // No new streams: where there is a word for it the peer is told so at once, and what it opens
  // when Limits::drain_grace is over is refused; where there is none it is served. ending() is
  // kDone as soon as no stream is open and the grace is over; a smux server's only by cut().
  virtual void drain(Time now) = 0;
  // The deadline of the drain: every stream is ended towards the peer, broken off where there is a
  // word for it, and told broken() to the owner. ending() is kDone.
  virtual void cut(Time now) = 0;

  [[nodiscard]] virtual bool reads() const = 0;
  [[nodiscard]] virtual std::optional<Time> wake_at() const = 0;
  virtual void wake(Time now) = 0;

  [[nodiscard]] virtual Ending ending() const = 0;
  // What was wrong, for the log: "data beyond the window". Empty when nothing was.
  [[nodiscard]] virtual const char* error() const = 0;
  [[nodiscard]] virtual std::size_t streams() const = 0;
};

}  // namespace mux

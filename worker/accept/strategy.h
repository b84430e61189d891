// How the workers of one server share its accepting. A strategy is one file in this folder that
// implements this interface, and a row in strategy.cpp's table. It decides *when* this worker
// listens; taking connections from a listener within the turn's budget is AcceptTap's
// (accept_tap.h), serving them the sink's.
#pragma once

#include <event2/event.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "common/address.h"
#include "common/heritage.h"
#include "common/unique_fd.h"

namespace drover {

// A connection just taken. `peer_size` is 0 where the peer is unnamed.
struct Accepted {
  UniqueFd fd;  // O_NONBLOCK, O_CLOEXEC
  sockaddr_storage peer{};
  socklen_t peer_size = 0;
  const ListenerHeritage* listener = nullptr;
};

// What a strategy needs of its worker.
class AcceptHost {
 public:
  virtual ~AcceptHost() = default;
  virtual event_base* base() = 0;
  virtual const Heritage& heritage() const = 0;
  // False when worker_connections is reached or descriptors have run out: take nothing now. The
  // host calls Strategy::pause() when that becomes so and resume() when it no longer is.
  virtual bool has_room() const = 0;
  // How many connections to take from one queue in this turn (accept_budget.h).
  virtual int budget() const = 0;
  // Connections this worker has now, and how many it may have.
  virtual std::uint32_t live() const = 0;
  virtual std::uint32_t capacity() const = 0;
  // Serves the connection, or refuses and closes it.
  virtual void on_accepted(Accepted connection) = 0;
  // accept4 failed with EMFILE, ENFILE, ENOBUFS or ENOMEM: the host pauses every strategy for a
  // while.
  virtual void on_descriptors_exhausted(int error_number) = 0;
  // Wakes another slot's worker through its eventfd.
  virtual void ring(int slot) = 0;
};

// One server's accepting in one worker. Not told to start until the generation serves.
class Strategy {
 public:
  virtual ~Strategy() = default;
  // Begin to accept, or go on after pause(). Idempotent.
  virtual void resume() = 0;
  // Take nothing more until resume(): full, no descriptors, or draining. Idempotent.
  virtual void pause() = 0;
  // Every 250 ms, paused or not.
  virtual void on_heartbeat(Millis /*now*/) {}
  // The slot's doorbell was rung, by whomever: look whether it was for you. Never called while
  // paused.
  virtual void on_doorbell() {}
  // Some slot is steered around: take once, within the budget, from every queue of this server,
  // also those that belong to other slots. Called at each doorbell and heartbeat while it lasts;
  // counts as `steered` what came from another slot's queue. Never called while paused.
  virtual void take_stranded() = 0;
  // The listener is going away (it is surplus): wait at it no longer, and close it when finish()
  // has seen its queue empty.
  virtual void close_listener(std::uint32_t listener_id) = 0;
  // The server is out of service: all of its listeners are closed at once, also those that hold
  // somebody, whom nobody will serve.
  virtual void close_listeners() = 0;
  // Draining: take nothing new. Listeners in `removed` go away as by close_listener(), the others
  // have other workers and are closed at once.
  virtual void drain(const std::vector<std::uint32_t>& removed) = 0;
  // Takes what listeners that go away hold, as far as there is room, and closes those that are
  // empty. True: nothing is left to be taken. Called after the three above, and again as room
  // comes.
  [[nodiscard]] virtual bool finish() = 0;
};

// The strategy that Settings::servers[server] asks for, over that server's listeners in the
// heritage.
[[nodiscard]] std::unique_ptr<Strategy> make_strategy(AcceptHost& host, std::uint16_t server);

}  // namespace drover

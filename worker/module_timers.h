// The timers of modules: one for each connection, any number for each instance. All of a worker
// share one alarm, which is set for the earliest.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/alarm.h"
#include "modules/sdk/drover_module.h"
#include "worker/connection_table.h"
#include "worker/timer_queue.h"
#include "worker/zeroed_array.h"

namespace drover {

class ConnectionCore;
struct Server;

// One timer for each connection: found by the connection's number, which has no timer left of
// whoever had it before.
class SerialsByNumber {
 public:
  explicit SerialsByNumber(std::size_t capacity)
      : serials_(make_zeroed_array<std::uint64_t>(capacity)) {}

  [[nodiscard]] std::uint64_t of(drover_conn conn) const {
    return serials_[ConnectionTable::index_of(conn)];
  }
  void set(drover_conn conn, std::uint64_t serial) {
    serials_[ConnectionTable::index_of(conn)] = serial;
  }

 private:
  ZeroedArray<std::uint64_t> serials_;
};

class ModuleTimers {
 public:
  ModuleTimers(ConnectionCore& core, event_base* base, std::size_t capacity)
      : core_(core), by_connection_(SerialsByNumber(capacity)), alarm_(base, this) {}

  // Calls on_timer of the connection once; replaces what was set. Shorter than a millisecond is a
  // millisecond.
  void set(drover_conn conn, Millis after);
  void cancel(drover_conn conn) { by_connection_.cancel(conn); }
  // Calls on_worker_timer of the server's instance once.
  drover_timer start(Server& server, Millis after, std::uint64_t tag);
  // Nothing happens when it has rung, or is another server's.
  void stop(Server& server, drover_timer timer);
  // The instance goes.
  void stop_all(Server& server);
  // Calls the hooks of all that is due. The loop does, when the earliest is.
  void call_due();
  // At the end of a batch, of whatever was set and cancelled in it.
  void arm();

 private:
  struct Instance {
    Server* server;
    std::uint64_t tag;
  };
  [[nodiscard]] Millis deadline_after(Millis after) const;

  ConnectionCore& core_;
  TimerQueue<drover_conn, SerialsByNumber> by_connection_;
  TimerQueue<drover_timer> by_instance_;
  std::unordered_map<drover_timer, Instance> instances_;
  drover_timer last_timer_ = 0;
  Alarm<&ModuleTimers::call_due> alarm_;
};

}  // namespace drover

// The timers of modules: one for each connection, any number for each instance. All of a worker
// share one alarm, which is set for the earliest.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "common/alarm.h"
#include "modules/sdk/drover_module.h"
#include "worker/timer_queue.h"

namespace drover {

class ConnectionCore;
struct Server;

class ModuleTimers {
 public:
  ModuleTimers(ConnectionCore& core, event_base* base) : core_(core), alarm_(base, this) {}

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
  TimerQueue<drover_conn> by_connection_;
  TimerQueue<drover_timer> by_instance_;
  std::unordered_map<drover_timer, Instance> instances_;
  drover_timer last_timer_ = 0;
  Alarm<&ModuleTimers::call_due> alarm_;
};

}  // namespace drover

#include "worker/module_timers.h"

#include <algorithm>

#include "worker/connection.h"
#include "worker/hook_run.h"

namespace drover {

void ModuleTimers::set(drover_conn conn, Millis after) {
  core_.begin_batch();
  by_connection_.set(conn, deadline_after(after));
}

drover_timer ModuleTimers::start(Server& server, Millis after, std::uint64_t tag) {
  core_.begin_batch();
  const drover_timer timer = ++last_timer_;
  ++server.timers;
  instances_.emplace(timer, Instance{&server, tag});
  by_instance_.set(timer, deadline_after(after));
  return timer;
}

void ModuleTimers::stop(Server& server, drover_timer timer) {
  const auto found = instances_.find(timer);
  if (found == instances_.end() || found->second.server != &server) return;
  by_instance_.cancel(timer);
  instances_.erase(found);
  --server.timers;
}

void ModuleTimers::stop_all(Server& server) {
  server.timers = 0;
  std::erase_if(instances_, [&](const auto& entry) {
    if (entry.second.server != &server) return false;
    by_instance_.cancel(entry.first);
    return true;
  });
}

// Never now: a timer that its own hook sets again must not keep the loop.
Millis ModuleTimers::deadline_after(Millis after) const {
  return core_.now() + std::max(after, Millis{1});
}

// By the clock, for it is the end of a batch that may have taken long. What was cancelled later may
// leave the alarm too early: it finds nothing due, and is set again.
void ModuleTimers::arm() {
  const Millis next = std::min(by_connection_.next().value_or(Millis::max()),
                               by_instance_.next().value_or(Millis::max()));
  if (next < Millis::max()) alarm_.set(next, core_.clock());
}

void ModuleTimers::call_due() {
  core_.begin_batch();
  const Millis now = core_.now();
  while (const auto conn = by_connection_.pop_due(now)) {
    if (Connection* connection = core_.table().find(*conn)) connection->on_timer();
  }
  while (const auto timer = by_instance_.pop_due(now)) {
    const Instance instance = instances_.extract(*timer).mapped();
    --instance.server->timers;
    const HookRun run(*instance.server);
    instance.server->module.on_worker_timer(instance.server->instance, instance.tag);
  }
}

}  // namespace drover

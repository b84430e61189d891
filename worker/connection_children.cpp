// Streams: connections that a module carries inside of another one. The core knows them by their
// parent, with which they end.
#include "worker/child_transport.h"
#include "worker/connection_hooks.h"

namespace drover {

drover_conn Connection::open_child(Server& server, const StreamCarrier& carrier) {
  ConnectionCore& core = server.core;
  Connection* parent = core.table().find(carrier.parent);
  if (parent == nullptr || !core.has_room_for_stream()) return 0;
  Connection* child = make<ChildTransport>(server, parent->peer_, carrier);
  child->is_child_ = true;
  if (!child->is_admitted()) {
    core.table().remove(child->index_);
    core.recycle(child->index_, server.admission);
    destroy(child);
    return 0;
  }
  child->state_ = State::kConnecting;
  child->is_touched_ = false;  // no deadline before it is open
  parent->is_carrier_ = true;
  core.streams().emplace(carrier.parent, child->handle());
  ConnectionCore::count(core.counters().streams_opened);
  child->settle_soon();
  return child->handle();
}

ChildTransport* Connection::stream() {
  return is_child_ ? static_cast<ChildTransport*>(&transport()) : nullptr;
}

void Connection::fail() {
  break_with(DROVER_MODULE_FAILED);
  settle_soon();
}

void Connection::forget_child() { core().streams().erase({stream()->carrier().parent, handle()}); }

// To a child its parent's end is what a broken cable is to a socket, unless the worker ends them.
void Connection::end_children(drover_close_reason reason) {
  const drover_conn parent = handle();
  auto& streams = core().streams();
  for (;;) {
    const auto next = streams.lower_bound({parent, 0});
    if (next == streams.end() || next->first != parent) return;
    core().table().find(next->second)->end(reason == DROVER_DRAINED ? reason : DROVER_RESET);
  }
}

}  // namespace drover

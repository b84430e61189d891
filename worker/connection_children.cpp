// Streams: connections that a module carries inside of another one. The core knows them by their
// parent, with which they end.
#include "worker/child_transport.h"
#include "worker/connection_hooks.h"

namespace drover {

drover_conn Connection::open_child(Server& server, const StreamCarrier& carrier) {
  ConnectionCore& core = server.core;
  Connection* parent = core.table().find(carrier.parent);
  if (parent == nullptr || !parent->may_carry()) return 0;
  if (!core.has_room_for_stream()) {
    ConnectionCore::count(core.counters().refused_limit);
    return 0;
  }
  StreamCarrier deeper = carrier;
  deeper.depth = parent->depth() + 1;
  Connection* child = make<ChildTransport>(server, parent->peer_, deeper);
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
  core.streams().add(parent->index_, child->index_);
  ConnectionCore::count(core.counters().streams_opened);
  child->settle_soon();
  return child->handle();
}

// One that ends may be ending its children just now.
bool Connection::may_carry() const {
  return state_ == State::kServing && is_open_ && !is_cut_ && !is_ending_ && !is_broken_ &&
         depth() < ChildTransport::kDeepest;
}

ChildTransport* Connection::stream() const {
  return is_child_ ? static_cast<ChildTransport*>(&transport()) : nullptr;
}

int Connection::depth() const { return is_child_ ? stream()->carrier().depth : 0; }

// What a carrier has lent in its on_data, which has returned; in the read buffer it still is.
void Connection::give_lent() {
  ConnectionCore& shared = core();
  while (const auto part = shared.lent().next()) {
    Connection* const child = shared.table().find(part->child);
    if (child != nullptr) child->receive_lent(part->bytes);
  }
}

// As on_event() does from the transport. What the module does not want now waits in the inbox, and
// for good when its carrier has failed.
void Connection::receive_lent(std::string_view bytes) {
  const Connection* const carrier = core().table().find(stream()->carrier().parent);
  if (carrier == nullptr || carrier->is_broken_) return stream()->keep_lent(bytes);
  if (state_ == State::kConnecting && !is_broken_) open();
  const bool is_wanted = !holds_back() && leftover_ == nullptr;
  if (!is_wanted || !stream()->use_lent(bytes.size())) return stream()->keep_lent(bytes);
  note_received(bytes.size());
  on_bytes(bytes);
}

void Connection::fail_stream() {
  break_with(DROVER_MODULE_FAILED);
  settle_soon();
}

bool Connection::cut_streams() {
  if (is_cut_ || !core().streams().last(index_)) return false;
  is_cut_ = true;
  end_children(DROVER_DRAINED);
  return true;
}

// To a child its parent's end is what a broken cable is to a socket, unless the worker ends them.
void Connection::end_children(drover_close_reason reason) {
  ConnectionCore& shared = core();
  while (const auto child = shared.streams().last(index_)) {
    shared.table().at(*child).end(reason == DROVER_DRAINED ? reason : DROVER_RESET);
  }
}

}  // namespace drover

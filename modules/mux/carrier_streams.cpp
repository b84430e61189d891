// The streams of a carrier: between the session, which knows them by number, and the connections
// that Drover makes of them.
#include <algorithm>
#include <memory>
#include <utility>

#include "modules/mux/carried_stream.h"
#include "modules/mux/carrier_connection.h"

namespace mux {
namespace {

// What a session lets wait at a stream, and a read more, have room where Drover keeps it.
static_assert(kMostStreamInput + (std::size_t{256} << 10) < DROVER_CHILD_INBOX);

}  // namespace

std::size_t CarrierConnection::write(CarriedStream& carried, std::span<const drover_slice> slices) {
  std::size_t taken = 0;
  carried.is_stuck = false;
  for (const drover_slice& slice : slices) {
    std::size_t more = slice.size;
    if (carried.stream != nullptr && !is_over_)
      more = session_->write(*carried.stream, {static_cast<const char*>(slice.data), slice.size});
    taken += more;
    carried.is_stuck = more < slice.size;
    if (carried.is_stuck) break;
  }
  if (carried.used > 0) set_due(carried);
  touch();
  return taken;
}

void CarrierConnection::half_close(CarriedStream& carried) {
  if (carried.stream != nullptr && !is_over_) session_->end(*carried.stream);
  touch();
}

void CarrierConnection::consumed(CarriedStream& carried, std::size_t size_bytes) {
  carried.used += size_bytes;
  set_due(carried);
  touch();
}

// A module that has said all and closed, of which Drover waits no longer for the peer's end: what
// the session has taken still goes out, as a socket would send it.
void CarrierConnection::closed(CarriedStream& carried, drover_close_reason reason,
                               bool is_in_order) {
  unlink(carried);
  if (carried.is_due) std::erase(due_, &carried);
  if (carried.stream != nullptr) {
    const bool is_said = reason == DROVER_CLOSED_BY_MODULE && carried.stream->is_ending;
    session_->close(*carried.stream, is_in_order || is_said, now());
  }
  touch();
}

// A stream that the session has forgotten may still be here until the batch is over.
bool CarrierConnection::opened(Stream& stream) {
  if (carried_ >= service_.config.limits.max_streams) return false;
  auto carried = std::make_unique<CarriedStream>(*this, stream);
  carried->child = service_.host.open_child(conn_, service_.inner, *carried);
  if (carried->child == 0) return false;
  service_.metrics.count(kStreamsOpened);
  link(*carried);
  stream.owner = carried.release();
  return true;
}

void CarrierConnection::data(Stream& stream, std::string_view bytes) {
  service_.host.child_data(static_cast<CarriedStream*>(stream.owner)->child, bytes);
}

void CarrierConnection::ended(Stream& stream) {
  service_.host.child_end(static_cast<CarriedStream*>(stream.owner)->child);
}

void CarrierConnection::broken(Stream& stream) {
  CarriedStream& carried = *static_cast<CarriedStream*>(stream.owner);
  carried.stream = nullptr;
  service_.host.child_reset(carried.child);
}

void CarrierConnection::writable(Stream& stream) {
  service_.host.child_writable(static_cast<CarriedStream*>(stream.owner)->child);
}

void CarrierConnection::link(CarriedStream& carried) {
  ++carried_;
  carried.next = streams_;
  if (streams_ != nullptr) streams_->previous = &carried;
  streams_ = &carried;
}

void CarrierConnection::unlink(CarriedStream& carried) {
  --carried_;
  (carried.previous == nullptr ? streams_ : carried.previous->next) = carried.next;
  if (carried.next != nullptr) carried.next->previous = carried.previous;
}

// What a child has taken and answered lies in its own queue for as long as the session does not
// take the answer: it still counts as the session's input, and the peer may not send as much again.
void CarrierConnection::tell_used(Time now) {
  for (CarriedStream* carried : std::exchange(due_, {})) {
    carried->is_due = false;
    if (carried->is_stuck || carried->stream == nullptr || carried->used == 0) continue;
    session_->consumed(*carried->stream, std::exchange(carried->used, 0), now);
  }
}

void CarrierConnection::set_due(CarriedStream& carried) {
  if (!std::exchange(carried.is_due, true)) due_.push_back(&carried);
}

}  // namespace mux

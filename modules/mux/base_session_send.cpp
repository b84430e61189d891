// What goes: control frames first, then the streams in turn, one frame each. And what may wait.
#include <algorithm>
#include <utility>

#include "modules/mux/base_session.h"
#include "modules/mux/sent_prefix.h"

namespace mux {

namespace {
// A peer that is not read any more has no way to here, but in bad faith within one read.
constexpr std::size_t kTooMuchControl = 1 << 20;

// Less room than this is not worth a stream's turn.
constexpr std::size_t kLeastRoom = 4 << 10;

constexpr std::size_t kFewWaiting = 64;  // not worth the work

constexpr std::size_t kMostSpare = std::size_t{256} << 10;

// What limits count is what waits. A buffer is at most so much larger, or of no account.
constexpr std::size_t kMostSlack = 4;
constexpr std::size_t kSmallBuffer = std::size_t{4} << 10;
}  // namespace

// Our own farewells, of a drain or of an owner that ends, may be as many as there are streams.
void BaseSession::control(std::string_view frame) {
  if (is_parsing_ && control_.size() > kTooMuchControl)
    fail(Ending::kProtocolError, "too much is asked for and not read");
  control_.add(frame);
}

void BaseSession::notice(std::string_view frame) { control_.add_notice(frame, now_); }

bool BaseSession::has_output() const {
  if (has_urgent() || control_.is_due()) return true;
  return ready_ && ending_ == Ending::kNone;
}

void BaseSession::send(std::string& out, std::size_t room, Time now) {
  now_ = now;
  const std::size_t before = out.size();
  if (has_urgent() && out.size() < room) append_urgent(out);
  control_.append_to(out, room);
  if (ending_ == Ending::kNone) append_streams(out, room);
  if (out.size() != before) sent_at_ = now;
  if (ending_ != Ending::kNone) return;
  tell_waiting();
  relieve();
}

void BaseSession::append_streams(std::string& out, std::size_t room) {
  while (ready_ && out.size() < room) {
    Stream& stream = *ready_;
    ready_ = stream.next_ready;
    take_turn(stream, out);
  }
}

void BaseSession::take_turn(Stream& stream, std::string& out) {
  const Turn turn = turn_of(stream);
  if (!turn.is_something()) return update_ready(stream);
  const std::string_view pending{stream.pending};
  append_turn(stream, pending.substr(stream.pending_begin, turn.payload_bytes), turn.ends, out);
  stream.sent += turn.payload_bytes;
  stream.is_ended = stream.is_ended || turn.ends;
  drop_pending(stream, turn.payload_bytes);
  update_ready(stream);
  if (stream.wants_writable && stream.pending_size() <= most_pending(stream) / 2)
    tell_writable(stream);
  settle(stream);
}

std::uint64_t BaseSession::peer_room(const Stream&) const { return kUnlimited; }

BaseSession::Turn BaseSession::turn_of(const Stream& stream) const {
  if (stream.is_ended) return {};
  Turn turn;
  turn.payload_bytes = static_cast<std::size_t>(
      std::min<std::uint64_t>({stream.pending_size(), kLargestDataFrame, peer_room(stream)}));
  turn.ends = stream.is_ending && turn.payload_bytes == stream.pending_size();
  return turn;
}

std::size_t BaseSession::most_pending(const Stream&) const { return limits_.max_stream_output; }

// The owner's side

// Over the worker's limit a session still takes a frame at a time, so that it goes on by its own
// sending and need not wait for another session's.
std::size_t BaseSession::output_room() const {
  const std::size_t own =
      limits_.max_session_output - std::min(output_, limits_.max_session_output);
  const std::size_t shared =
      worker_.memory_limit - std::min(worker_.memory_used, worker_.memory_limit);
  const std::size_t least = kLargestDataFrame - std::min(output_, kLargestDataFrame);
  return std::min(own, std::max(shared, least));
}

std::size_t BaseSession::write(Stream& stream, std::string_view bytes) {
  if (stream.is_ending || ending_ != Ending::kNone) return 0;
  const std::size_t most = most_pending(stream);
  const std::size_t of_stream = most - std::min(stream.pending_size(), most);
  const std::size_t of_session = output_room();
  const std::size_t taken = std::min({bytes.size(), of_stream, of_session});
  const bool is_much = taken >= kLargestDataFrame;
  if (stream.pending.empty() && is_much && worker_.spare_buffer.capacity() <= kMostSlack * taken)
    stream.pending.swap(worker_.spare_buffer);
  stream.pending.append(bytes.substr(0, taken));
  output_ += taken;
  worker_.memory_used += taken;
  if (taken < bytes.size()) {
    stream.wants_writable = true;
    if (of_session < of_stream) wait_for_room(stream);
  }
  update_ready(stream);
  relieve();
  return taken;
}

void BaseSession::end(Stream& stream) {
  if (stream.is_ending || ending_ != Ending::kNone) return;
  stream.is_ending = true;
  stream.wants_writable = false;
  update_ready(stream);
}

void BaseSession::drop_pending(Stream& stream, std::size_t size_bytes) {
  stream.pending_begin += size_bytes;
  output_ -= size_bytes;
  worker_.memory_used -= size_bytes;
  if (stream.pending_size() == 0) return leave_buffer(stream);
  fit_buffer(stream);
  drop_sent_prefix(stream.pending, stream.pending_begin);
}

void BaseSession::fit_buffer(Stream& stream) {
  const std::size_t capacity = stream.pending.capacity();
  if (capacity <= kSmallBuffer || kMostSlack * stream.pending_size() >= capacity) return;
  std::string waits = stream.pending.substr(stream.pending_begin);
  leave_buffer(stream);
  stream.pending = std::move(waits);
}

// An idle stream keeps none.
void BaseSession::leave_buffer(Stream& stream) {
  std::string left = std::exchange(stream.pending, {});
  stream.pending_begin = 0;
  std::string& spare = worker_.spare_buffer;
  if (left.capacity() <= spare.capacity() || left.capacity() > kMostSpare) return;
  left.clear();
  spare.swap(left);
}

void BaseSession::tell_writable(Stream& stream) {
  if (output_room() == 0) return wait_for_room(stream);
  stream.wants_writable = false;
  listener_.writable(stream);
}

// Who has gone stays in the queue until it comes to the front, or until there are more of them than
// of the rest.
void BaseSession::wait_for_room(Stream& stream) {
  if (std::exchange(stream.is_waiting, true)) return;
  waiting_.push_back(stream.id);
  if (waiting_.size() <= 2 * streams_.size() + kFewWaiting) return;
  std::erase_if(waiting_, [this](std::uint32_t id) {
    const Stream* const waits = find(id);
    return waits == nullptr || !waits->is_waiting;
  });
}

// Streams that found no room in the session, in the order in which they came. The owner writes
// after we return, so only a few are told at a time: as many as a share each would hold.
void BaseSession::tell_waiting() {
  if (waiting_.empty() || ending_ != Ending::kNone) return;
  std::size_t room = output_room();
  while (!waiting_.empty() && room >= kLeastRoom) {
    Stream* const stream = find(waiting_.front());
    waiting_.pop_front();
    if (!stream || !std::exchange(stream->is_waiting, false) || !stream->wants_writable) continue;
    if (stream->pending_size() > most_pending(*stream) / 2) continue;  // its own sending tells it
    stream->wants_writable = false;
    listener_.writable(*stream);
    room -= std::min(room, most_pending(*stream));
  }
}

// Once for each time of pressure; who is stopped later is looked at when it is.
void BaseSession::relieve() {
  const bool is_new = !was_under_pressure_;
  was_under_pressure_ = is_under_pressure();
  if (!was_under_pressure_ || !is_new) return;
  for (auto& [id, stream] : streams_)
    if (stream.wants_writable) update_ready(stream);
}

// The ring

void BaseSession::update_ready(Stream& stream) {
  changed(stream);
  const bool is_something = turn_of(stream).is_something();
  if (is_something && !stream.is_ready()) enter_ring(stream);
  if (!is_something && stream.is_ready()) leave_ring(stream);
}

// Last in turn: before the one whose turn is next.
void BaseSession::enter_ring(Stream& stream) {
  if (!ready_) {
    ready_ = stream.next_ready = stream.previous_ready = &stream;
    return;
  }
  stream.next_ready = ready_;
  stream.previous_ready = ready_->previous_ready;
  stream.previous_ready->next_ready = &stream;
  ready_->previous_ready = &stream;
}

void BaseSession::leave_ring(Stream& stream) {
  if (!stream.is_ready()) return;
  if (ready_ == &stream) ready_ = stream.next_ready == &stream ? nullptr : stream.next_ready;
  stream.previous_ready->next_ready = stream.next_ready;
  stream.next_ready->previous_ready = stream.previous_ready;
  stream.next_ready = stream.previous_ready = nullptr;
}

}  // namespace mux

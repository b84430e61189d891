#include "modules/mux/framed_session.h"

#include <algorithm>
#include <utility>

namespace mux {
namespace {

// A peer that does not read what it asks for is not read either; nobody asks for so much in one
// read but in bad faith.
constexpr std::size_t kMuchControl = std::size_t{64} << 10;
constexpr std::size_t kMostControl = std::size_t{1} << 20;
// Other sessions free the worker's memory, and nobody tells.
constexpr Time kGlance{10};

}  // namespace

FramedSession::FramedSession(Role role, const Limits& limits, Worker& worker, Listener& listener,
                             Time now, std::uint32_t next_id)
    : role_(role),
      limits_(limits),
      worker_(worker),
      listener_(listener),
      table_(limits, worker, now),
      now_(now),
      next_id_(next_id),
      received_at_(now),
      sent_at_(now) {}

void FramedSession::receive(std::string_view bytes, Time now) {
  now_ = received_at_ = now;
  while (!bytes.empty() && ending_ == Ending::kNone) parse(bytes);
  relieve();
  finish();
}

void FramedSession::parse(std::string_view& bytes) {
  if (payload_left_ == 0) return gather(bytes);
  const auto piece = bytes.substr(0, payload_left_);
  bytes.remove_prefix(piece.size());
  payload_left_ -= piece.size();
  take_payload(piece);
  if (payload_left_ == 0 && ending_ == Ending::kNone) end_frame();
}

void FramedSession::gather(std::string_view& bytes) {
  const std::size_t size = std::min(kHeadBytes - head_size_, bytes.size());
  std::copy_n(bytes.begin(), size, head_.begin() + static_cast<std::ptrdiff_t>(head_size_));
  bytes.remove_prefix(size);
  head_size_ += size;
  if (head_size_ < kHeadBytes) return;
  head_size_ = 0;
  body_ = nullptr;
  payload_left_ = begin_frame({head_.data(), head_.size()});
  if (control_.size() > kMostControl) return fail("too much is asked for and not read");
  if (payload_left_ == 0 && ending_ == Ending::kNone) end_frame();
}

void FramedSession::send(std::string& out, std::size_t room, Time now) {
  now_ = now;
  const std::size_t begin = out.size();
  out += std::exchange(control_, {});
  while (ending_ == Ending::kNone && table_.has_ready() && out.size() - begin < room) {
    Stream& stream = table_.take_turn();
    if (may_send(stream)) append_frame(out, stream);
    tell_writable(stream);
    settle(stream);
  }
  if (out.size() != begin) sent_at_ = now;
  tell_starved();
  relieve();
  finish();
}

bool FramedSession::has_output() const {
  return !control_.empty() || (ending_ == Ending::kNone && table_.has_ready());
}

std::size_t FramedSession::write(Stream& stream, std::string_view bytes) {
  if (stream.is_ending || ending_ != Ending::kNone) return 0;
  const std::size_t limit = output_limit(stream);
  const auto part = bytes.substr(0, limit - std::min(limit, stream.pending_size()));
  const std::size_t taken = table_.put(stream, part);
  if (taken < bytes.size()) stream.wants_writable = true;
  if (taken < part.size()) starved_.insert(&stream);
  settle(stream);
  relieve();
  return taken;
}

void FramedSession::end(Stream& stream) {
  if (stream.is_ending || ending_ != Ending::kNone) return;
  stream.is_ending = true;
  stream.wants_writable = false;
  starved_.erase(&stream);
  settle(stream);
}

void FramedSession::consumed(Stream& stream, std::size_t size_bytes, Time now) {
  now_ = now;
  table_.use_input(stream, size_bytes);
  if (ending_ == Ending::kNone) on_consumed(stream);
}

void FramedSession::close(Stream& stream, bool is_in_order, Time now) {
  now_ = now;
  starved_.erase(&stream);
  stream.owner = nullptr;
  if (ending_ != Ending::kNone) return forget(stream);
  table_.drop_input(stream);
  stream.is_orphaned = true;
  stream.wants_writable = false;
  if (is_in_order) {
    stream.is_ending = true;
    table_.set_deadline(stream, now + limits_.half_closed_linger);
    settle(stream);
  } else {
    abandon(stream);
  }
  finish();
}

Stream* FramedSession::open(Time now) {
  now_ = now;
  const bool is_open = ending_ == Ending::kNone && !is_draining_;
  if (!is_open || !may_open_own() || table_.size() >= limits_.max_streams) return nullptr;
  while (table_.find(next_id_) != nullptr) next_id_ += 2;  // the peer took one of ours
  if (next_id_ > 0xffff'fffdU) return nullptr;
  Stream& stream = table_.add(next_id_);
  begin(stream);
  next_id_ += 2;
  say_open(stream);
  return &stream;
}

void FramedSession::drain(Time now) {
  now_ = now;
  is_draining_ = true;
  finish();
}

void FramedSession::cut(Time now) {
  now_ = now;
  if (ending_ != Ending::kNone) return;
  ending_ = Ending::kDone;
  for (Stream* stream : table_.all()) break_off(*stream);
}

bool FramedSession::reads() const {
  return ending_ == Ending::kNone && table_.has_input_room() && control_.size() <= kMuchControl;
}

std::optional<Time> FramedSession::wake_at() const {
  if (ending_ != Ending::kNone) return std::nullopt;
  auto first = table_.first_deadline();
  const auto add = [&first](Time time) { first = first ? std::min(*first, time) : time; };
  if (!starved_.empty()) add(now_ + kGlance);
  if (keeps_alive() && limits_.keepalive > Time{0} && !has_output())
    add(sent_at_ + limits_.keepalive);
  if (expects_life() && limits_.silence > Time{0} && reads()) add(received_at_ + limits_.silence);
  return first;
}

void FramedSession::wake(Time now) {
  now_ = now;
  if (ending_ != Ending::kNone) return;
  while (Stream* stream = table_.take_due(now))
    if (!end_wait(*stream)) break_off(*stream);
  tell_starved();
  if (!reads()) received_at_ = now;  // it was not asked
  if (expects_life() && limits_.silence > Time{0} && now - received_at_ >= limits_.silence) {
    ending_ = Ending::kSilent;
    ++worker_.counts.silent_peers;
    return;
  }
  const bool is_due = limits_.keepalive > Time{0} && now - sent_at_ >= limits_.keepalive;
  if (keeps_alive() && is_due && !has_output()) say_alive();
  finish();
}

// What waits is not sent; but whoever waits for an end is told one.
void FramedSession::fail(const char* error) {
  if (ending_ != Ending::kNone) return;
  for (const Stream* stream : table_.all())
    if (!stream->is_ended) say_end(stream->id);
  ending_ = Ending::kProtocolError;
  error_ = error;
  ++worker_.counts.protocol_errors;
}

void FramedSession::begin(Stream& stream) const {
  stream.allowed = stream.granted = stream.window = kFirstWindow;
  stream.granted_at = now_;
}

Stream* FramedSession::accept(std::uint32_t id) {
  const bool is_refused = role_ == Role::kClient || (is_draining_ && !serves_while_drained());
  if (is_refused) ++worker_.counts.streams_refused;
  if (!is_refused && table_.may_open(now_)) {
    Stream& stream = table_.add(id);
    begin(stream);
    if (listener_.opened(stream)) return &stream;
    ++worker_.counts.streams_refused;
    table_.remove(stream);
  }
  say_end(id);
  return nullptr;
}

void FramedSession::deliver(Stream& stream, std::string_view bytes) {
  if (!stream.is_orphaned && !table_.take_input(bytes.size())) {
    ++worker_.counts.streams_over_memory;
    return break_off(stream);
  }
  stream.received += bytes.size();
  if (stream.is_orphaned) {
    stream.consumed += bytes.size();  // by nobody
  } else {
    listener_.data(stream, bytes);
  }
}

void FramedSession::end_by_peer(Stream& stream) {
  stream.is_ended_by_peer = true;
  if (!stream.is_orphaned) listener_.ended(stream);
  settle(stream);
}

void FramedSession::settle(Stream& stream) {
  if (stream.is_ended && stream.is_orphaned) return forget(stream);
  if (stream.is_ended && stream.is_ended_by_peer) table_.release_number(stream);
  set_wait(stream);
  table_.set_ready(stream, may_send(stream));
}

void FramedSession::forget(Stream& stream) {
  if (!stream.is_ended_by_peer) on_forgotten_early(stream.id);
  if (body_ == &stream) body_ = nullptr;
  starved_.erase(&stream);
  table_.remove(stream);
}

void FramedSession::abandon(Stream& stream) {
  table_.drop_output(stream);
  if (!stream.is_ended) say_end(stream.id);
  stream.is_ended = true;
  forget(stream);
}

void FramedSession::break_off(Stream& stream) {
  if (!stream.is_orphaned) listener_.broken(stream);
  abandon(stream);
}

void FramedSession::append_data(std::string& out, Stream& stream, std::size_t size_bytes) {
  out.append(stream.pending, stream.pending_begin, size_bytes);
  table_.sent(stream, size_bytes);
}

// Half of what it may have, so that it is not told for each frame.
void FramedSession::tell_writable(Stream& stream) {
  const bool has_room = stream.pending_size() <= output_limit(stream) / 2;
  if (!stream.wants_writable || !has_room || table_.output_room() == 0) return;
  stream.wants_writable = false;
  starved_.erase(&stream);
  listener_.writable(stream);
}

void FramedSession::tell_starved() {
  if (starved_.empty() || table_.output_room() < limits_.max_session_output / 4) return;
  for (Stream* stream : std::exchange(starved_, {})) {
    stream->wants_writable = false;
    listener_.writable(*stream);
  }
}

void FramedSession::relieve() {
  if (std::exchange(was_under_pressure_, is_under_pressure()) || !was_under_pressure_) return;
  for (Stream* stream : table_.all())
    if (stream->wants_writable) settle(*stream);
}

void FramedSession::finish() {
  if (is_draining_ && is_done_when_drained() && ending_ == Ending::kNone && table_.size() == 0)
    ending_ = Ending::kDone;
}

}  // namespace mux

#include "modules/mux/base_session.h"

#include <algorithm>

namespace mux {

namespace {
// Of one retry, when streams wait for room that other sessions of the worker may give.
constexpr Time kRetry{50};
}  // namespace

BaseSession::BaseSession(const Traits& traits, const Limits& limits, Worker& worker,
                         Listener& listener, Time now)
    : traits_(traits),
      limits_(limits),
      worker_(worker),
      listener_(listener),
      streams_(0, id_hash()),
      open_rate_(limits.opens_per_second, now),
      next_own_id_(traits.first_own_id),
      now_(now),
      heard_at_(now),
      sent_at_(now),
      asked_at_(now) {}

BaseSession::~BaseSession() { drop_all(); }

void BaseSession::receive(std::string_view bytes, Time now) {
  if (ending_ != Ending::kNone || bytes.empty()) return;
  now_ = heard_at_ = now;
  is_parsing_ = true;
  parse(bytes);
  is_parsing_ = false;
  tell_waiting();
  relieve();
}

void BaseSession::fail(Ending ending, const char* error) {
  if (ending_ != Ending::kNone) return;
  ending_ = ending;
  error_ = error;
  if (ending == Ending::kProtocolError) ++worker_.counts.protocol_errors;
  if (ending == Ending::kSilent) ++worker_.counts.silent_peers;
}

// Streams: how they come

Stream* BaseSession::find(std::uint32_t id) {
  if (last_found_ != nullptr && last_found_->id == id) return last_found_;
  const auto found = streams_.find(id);
  if (found == streams_.end()) return nullptr;
  return last_found_ = &found->second;
}

Stream& BaseSession::add(std::uint32_t id) {
  Stream& stream = streams_[id];
  stream.id = id;
  stream.window = kFirstWindow;
  stream.granted = kFirstWindow;
  stream.allowed = kFirstWindow;
  stream.granted_at = now_;
  last_found_ = &stream;
  return stream;
}

BaseSession::Streams::node_type BaseSession::take_out(std::uint32_t id) {
  last_found_ = nullptr;
  return streams_.extract(id);
}

Stream* BaseSession::admit(std::uint32_t id) {
  if (!open_rate_.take(now_)) {
    ++worker_.counts.streams_over_rate;
    return nullptr;
  }
  const bool is_closed = is_draining_ && !is_in_grace() && !traits_.serves_while_drained &&
                         traits_.is_done_when_drained;
  if (is_closed || streams() >= limits_.max_streams) {
    ++worker_.counts.streams_refused;
    return nullptr;
  }
  Stream& stream = add(id);
  if (listener_.opened(stream)) {
    accepted(stream);
    return &stream;
  }
  ++worker_.counts.streams_refused;
  forget(stream);
  return nullptr;
}

Stream* BaseSession::open(Time now) {
  if (ending_ != Ending::kNone || is_draining_ || !may_open_) return nullptr;
  if (streams() >= limits_.max_streams) return nullptr;
  const std::optional<std::uint32_t> id = take_own_id();
  if (!id) return nullptr;
  now_ = now;
  Stream& stream = add(*id);
  announce(stream);
  update_ready(stream);
  return &stream;
}

// The peer may have taken one of ours: not every protocol forbids it.
std::optional<std::uint32_t> BaseSession::take_own_id() {
  while (may_open_) {
    const std::uint32_t id = next_own_id_;
    if (traits_.last_own_id - id < 2)
      may_open_ = false;
    else
      next_own_id_ += 2;
    if (!find(id)) return id;
  }
  return std::nullopt;
}

// Streams: how they go

void BaseSession::close(Stream& stream, bool is_in_order, Time now) {
  now_ = now;
  stream.owner = nullptr;
  stream.is_orphaned = true;
  stream.is_ending = true;
  stream.wants_writable = false;
  release_input(stream, stream.received - stream.consumed);
  if (is_forgettable(stream)) return forget(stream);
  if (ending_ != Ending::kNone) return;
  if (!is_in_order) {
    abort(stream);
    return forget(stream);
  }
  set_deadline(stream, now + limits_.half_closed_linger);
  update_ready(stream);
  if (!stream.is_ended_by_peer) renew_grant(stream);
}

void BaseSession::settle(Stream& stream) {
  if (stream.is_orphaned && is_forgettable(stream)) forget(stream);
}

void BaseSession::peer_ended(Stream& stream) {
  if (stream.is_ended_by_peer) return;
  stream.is_ended_by_peer = true;
  if (!stream.is_orphaned) listener_.ended(stream);
  update_ready(stream);
  settle(stream);
}

void BaseSession::peer_broke(Stream& stream) {
  ++worker_.counts.streams_reset;
  if (!stream.is_orphaned) listener_.broken(stream);
  forget(stream);
}

void BaseSession::break_off(Stream& stream) {
  abort(stream);
  if (!stream.is_orphaned) listener_.broken(stream);
  forget(stream);
}

void BaseSession::detach(Stream& stream) {
  clear_deadline(stream);
  detached_.emplace(&stream, take_out(stream.id));
}

void BaseSession::forget(Stream& stream) {
  forgotten(stream);
  drop(stream);
  end_if_drained();
}

void BaseSession::drop(Stream& stream) {
  leave_ring(stream);
  clear_deadline(stream);
  release_input(stream, stream.received - stream.consumed);
  drop_pending(stream, stream.pending_size());
  worker_.window_used -= stream.window - kFirstWindow;
  if (detached_.erase(&stream) == 0) take_out(stream.id);
}

void BaseSession::drop_all() {
  while (!detached_.empty()) drop(detached_.begin()->second.mapped());
  while (!streams_.empty()) drop(streams_.begin()->second);
}

// Drain and cut

void BaseSession::drain(Time now) {
  if (is_draining_ || ending_ != Ending::kNone) return;
  now_ = now;
  is_draining_ = true;
  grace_until_ = now + limits_.drain_grace;
  announce_drain();
  end_if_drained();
}

void BaseSession::end_if_drained() {
  if (is_drained_but_for_grace() && !is_in_grace()) fail(Ending::kDone, "");
}

void BaseSession::cut(Time now) {
  if (ending_ != Ending::kNone) return;
  drain(now);
  fail(Ending::kDone, "");
  abort_all();
  for (auto& [id, stream] : streams_)
    if (!stream.is_orphaned) listener_.broken(stream);
  for (auto& [address, node] : detached_) listener_.broken(node.mapped());
  drop_all();
}

void BaseSession::abort_all() {
  for (auto& [id, stream] : streams_)
    if (!is_over(stream)) abort(stream);
}

// Timers

void BaseSession::set_deadline(Stream& stream, Time when) {
  clear_deadline(stream);
  stream.deadline = when;
  deadlines_.emplace(when, stream.id);
}

void BaseSession::clear_deadline(Stream& stream) {
  if (stream.deadline) deadlines_.erase({*stream.deadline, stream.id});
  stream.deadline.reset();
}

void BaseSession::deadline_passed(Stream& stream) {
  if (!stream.is_orphaned) return;
  if (!is_over(stream)) abort(stream);
  forget(stream);
}

void BaseSession::pass_deadlines() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_) {
    const auto first = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    Stream* const stream = find(first.second);
    if (!stream) continue;
    stream->deadline.reset();
    deadline_passed(*stream);
  }
}

bool BaseSession::asks_for_life() const {
  return traits_.keeps_alive && limits_.keepalive.count() > 0;
}

bool BaseSession::watches_silence() const {
  return limits_.silence.count() > 0 && is_heard_ && must_speak();
}

// The peer is asked when either side was quiet, so that its answers prove it alive while we send.
Time BaseSession::keepalive_due() const {
  return std::max(std::min(sent_at_, heard_at_), asked_at_) + limits_.keepalive;
}

std::optional<Time> BaseSession::wake_at() const {
  if (ending_ != Ending::kNone) return std::nullopt;
  std::optional<Time> earliest;
  const auto add = [&earliest](Time when) { earliest = std::min(earliest.value_or(when), when); };
  if (asks_for_life()) add(keepalive_due());
  if (watches_silence()) add(heard_at_ + limits_.silence);
  if (!deadlines_.empty()) add(deadlines_.begin()->first);
  if (!waiting_.empty()) add(now_ + kRetry);
  if (is_drained_but_for_grace()) add(grace_until_);
  if (const auto notices = control_.due_at()) add(*notices);
  if (const std::optional<Time> own = own_wake_at()) add(*own);
  return earliest;
}

void BaseSession::wake(Time now) {
  if (ending_ != Ending::kNone) return;
  now_ = now;
  if (!reads()) heard_at_ = now;  // it may have spoken, nobody listened
  if (watches_silence() && now >= heard_at_ + limits_.silence)
    return fail(Ending::kSilent, "the peer is silent");
  if (asks_for_life() && now >= keepalive_due()) {
    asked_at_ = now;
    keep_alive();
  }
  control_.wake(now);
  own_wake();
  pass_deadlines();
  tell_waiting();
  end_if_drained();
}

}  // namespace mux

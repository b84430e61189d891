#include "modules/mux/xsmux_session.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace mux {
namespace {

using xsmux::Command;

Traits traits_of(std::uint8_t version, Role role) {
  const bool is_client = role == Role::kClient;
  return {.first_own_id = is_client ? xsmux::kFirstClientId : xsmux::kFirstServerId,
          .last_own_id = is_client ? 0xffff'fffd : 0xffff'fffc,
          .has_windows = version == 2,
          .serves_while_drained = true};
}

}  // namespace

XsmuxSession::XsmuxSession(std::uint8_t version, Role role, const Limits& limits, Worker& worker,
                           Listener& listener, Time now)
    : BaseSession(traits_of(version, role), limits, worker, listener, now),
      version_(version),
      role_(role) {}

// What comes

std::uint32_t XsmuxSession::on_head(std::string_view bytes) {
  frame_ = xsmux::head_at(bytes);
  if (const char* fault = fault_of(frame_)) {
    refuse(fault);
    return 0;
  }
  has_receiver_ = false;
  switch (frame_.command) {
    case Command::kSyn:
      on_syn(frame_.id);
      break;
    case Command::kFin:
      on_fin(frame_.id);
      break;
    case Command::kPush:
      on_data(frame_);
      break;
    case Command::kNop:
      has_kept_alive_ = true;
      break;
    case Command::kUpdate:
      break;
  }
  return goes_on() ? frame_.length : 0;
}

// Null: none.
const char* XsmuxSession::fault_of(const xsmux::Head& head) const {
  if (head.version != version_) return "a frame of another version";
  switch (head.command) {
    case Command::kSyn:
    case Command::kFin:
    case Command::kNop:
      return head.length == 0 ? nullptr : "a payload where there is none";
    case Command::kPush:
      return nullptr;
    case Command::kUpdate:
      if (version_ == 1) return "a window in version 1";
      return head.length == xsmux::kUpdateBytes ? nullptr : "a window of another length";
  }
  return "an unknown command";
}

void XsmuxSession::on_body(std::string_view part, bool is_last) {
  if (frame_.command == Command::kUpdate) {
    update_ += part;
    if (!is_last) return;
    on_update(frame_.id, xsmux::update_at(update_));
    update_.clear();
  } else if (Stream* const stream = has_receiver_ ? find(frame_.id) : nullptr) {
    deliver(*stream, part);
  }
}

void XsmuxSession::on_syn(std::uint32_t id) {
  Stream* const stream = find(id);
  if (stream && !is_over(*stream)) return;
  if (stream) detach(*stream);
  if (role_ == Role::kClient) {
    ++counts().streams_refused;
    return refuse_stream(id);
  }
  if (!admit(id)) refuse_stream(id);
}

void XsmuxSession::on_fin(std::uint32_t id) {
  if (Stream* const stream = find(id)) peer_ended(*stream);
}

void XsmuxSession::on_data(const xsmux::Head& head) {
  const Stream* const stream = find(head.id);
  if (!stream || stream->is_ended_by_peer) return;
  has_receiver_ = true;
  if (version_ == 2 && stream->received + head.length > stream->granted)
    refuse("data beyond the window");
}

// Both numbers go round at 2^32; a window of half of that or more is a negative one.
void XsmuxSession::on_update(std::uint32_t id, const xsmux::Update& update) {
  Stream* const stream = find(id);
  if (!stream) return;
  const std::uint32_t more = update.consumed - static_cast<std::uint32_t>(stream->read_by_peer);
  if (more > stream->sent - stream->read_by_peer) return refuse("more consumed than was sent");
  stream->read_by_peer += more;
  const bool is_negative = update.window > std::numeric_limits<std::int32_t>::max();
  stream->allowed = stream->read_by_peer + (is_negative ? 0 : update.window);
  if (!stream->is_orphaned) clear_deadline(*stream);
  update_ready(*stream);
}

// Refusals that wait are as many as there may be streams; of more, the FIN goes at once.
void XsmuxSession::refuse_stream(std::uint32_t id) {
  if (limits().fin_delay == Time{0} || refusals_.size() >= limits().max_streams)
    return say(Command::kFin, id);
  refusals_.push_back({now() + limits().fin_delay, id});
}

// What waits is not sent; but whoever waits for an end is told one.
void XsmuxSession::refuse(const char* error) {
  if (!goes_on()) return;
  fail(Ending::kProtocolError, error);
  abort_all();
}

// What goes

std::uint64_t XsmuxSession::peer_room(const Stream& stream) const {
  if (version_ == 1) return kUnlimited;
  return stream.allowed - std::min(stream.allowed, stream.sent);
}

BaseSession::Turn XsmuxSession::turn_of(const Stream& stream) const {
  Turn turn = BaseSession::turn_of(stream);
  if (waits_for_reader(stream, turn.payload_bytes)) turn.ends = false;
  return turn;
}

void XsmuxSession::append_turn(Stream& stream, std::string_view payload, bool ends,
                               std::string& out) {
  if (!payload.empty()) {
    xsmux::append_head(out, {.version = version_,
                             .command = Command::kPush,
                             .length = static_cast<std::uint16_t>(payload.size()),
                             .id = stream.id});
    out += payload;
  }
  if (ends)
    xsmux::append_head(out, {.version = version_, .command = Command::kFin, .id = stream.id});
}

void XsmuxSession::abort(Stream& stream) {
  if (!stream.is_ended) say(Command::kFin, stream.id);
}

// After the first bytes, so that the peer learns our window, and then for each half of it.
bool XsmuxSession::is_grant_due(const Stream& stream) const {
  const bool is_first = !stream.is_acknowledged && stream.consumed > 0;
  return is_first || BaseSession::is_grant_due(stream);
}

// Who is stopped by the window, or has heard our end and may wait to say its own until we have read
// all, is told at once.
void XsmuxSession::grant(Stream& stream, std::uint32_t /*delta_bytes*/) {
  const bool is_waited_for = std::exchange(stream.is_acknowledged, true) || stream.is_ended ||
                             stream.consumed >= kFirstWindow / 2;
  std::string frame;
  xsmux::append_head(frame, {.version = version_,
                             .command = Command::kUpdate,
                             .length = xsmux::kUpdateBytes,
                             .id = stream.id});
  xsmux::append_update(
      frame, {.consumed = static_cast<std::uint32_t>(stream.consumed), .window = stream.window});
  is_waited_for ? control(frame) : notice(frame);
}

void XsmuxSession::keep_alive() {
  if (!has_output()) say(Command::kNop, 0);
}

void XsmuxSession::say(Command command, std::uint32_t id) {
  std::string frame;
  xsmux::append_head(frame, {.version = version_, .command = command, .id = id});
  control(frame);
}

// What is late

bool XsmuxSession::waits_for_reader(const Stream& stream, std::size_t more_bytes) const {
  if (!stream.is_ended_by_peer || !stream.is_ending || stream.is_ended) return false;
  if (stream.pending_size() > more_bytes || limits().fin_delay == Time{0}) return false;
  return stream.read_by_peer < stream.sent + more_bytes;
}

void XsmuxSession::changed(Stream& stream) {
  const bool is_stuck =
      stream.is_ended_by_peer && stream.pending_size() > 0 && peer_room(stream) == 0;
  if (waits_for_reader(stream)) {
    const Time until = now() + limits().fin_delay;
    set_deadline(stream, std::min(stream.deadline.value_or(until), until));
  } else if (is_stuck) {
    set_deadline(stream, stream.deadline.value_or(now() + limits().half_closed_linger));
  } else if (!stream.is_orphaned) {
    clear_deadline(stream);
  }
}

void XsmuxSession::deadline_passed(Stream& stream) {
  if (!waits_for_reader(stream)) return break_off(stream);
  say(Command::kFin, stream.id);
  stream.is_ended = true;
  update_ready(stream);
  settle(stream);
}

std::optional<Time> XsmuxSession::own_wake_at() const {
  if (refusals_.empty()) return std::nullopt;
  return refusals_.front().due;
}

// A number that is in use again by now has had its chance.
void XsmuxSession::own_wake() {
  while (!refusals_.empty() && refusals_.front().due <= now()) {
    const std::uint32_t id = refusals_.front().id;
    refusals_.pop_front();
    if (!find(id)) say(Command::kFin, id);
  }
}

void XsmuxSession::append_urgent(std::string& out) {
  for (const Refusal& refusal : refusals_)
    xsmux::append_head(out, {.version = version_, .command = Command::kFin, .id = refusal.id});
  refusals_.clear();
}

}  // namespace mux

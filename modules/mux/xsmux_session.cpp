#include "modules/mux/xsmux_session.h"

#include <algorithm>
#include <limits>

namespace mux {

using xsmux::Command;

XsmuxSession::XsmuxSession(std::uint8_t version, Role role, const Limits& limits, Worker& worker,
                           Listener& listener, Time now)
    : FramedSession(role, limits, worker, listener, now,
                    role == Role::kClient ? xsmux::kFirstClientId : xsmux::kFirstServerId),
      version_(version) {}

std::size_t XsmuxSession::begin_frame(std::string_view head) {
  frame_ = xsmux::head_at(head);
  if (const char* fault = fault_of(frame_)) {
    fail(fault);
    return 0;
  }
  body_ = frame_.command == Command::kPush ? receiver_of(frame_) : nullptr;
  return frame_.length;
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

// Of data. Null: they are skipped.
Stream* XsmuxSession::receiver_of(const xsmux::Head& head) {
  Stream* stream = table_.find(head.id);
  if (stream == nullptr || stream->is_ended_by_peer) return nullptr;
  if (version_ == 2 && stream->received + head.length > stream->granted)
    fail("data beyond the window");
  return stream;
}

void XsmuxSession::take_payload(std::string_view bytes) {
  if (frame_.command == Command::kUpdate) {
    update_ += bytes;
  } else if (body_ != nullptr) {
    deliver(*body_, bytes);
  }
}

void XsmuxSession::end_frame() {
  Stream* stream = table_.find(frame_.id);
  switch (frame_.command) {
    case Command::kSyn:
      if (stream == nullptr) (void)accept(frame_.id);
      break;
    case Command::kFin:
      if (stream != nullptr && !stream->is_ended_by_peer) end_by_peer(*stream);
      break;
    case Command::kNop:
      has_kept_alive_ = true;
      break;
    case Command::kUpdate:
      take_update(xsmux::update_at(update_));
      break;
    case Command::kPush:
      break;
  }
  update_.clear();
}

// Both numbers go round at 2^32; a window of half of that or more is a negative one.
void XsmuxSession::take_update(const xsmux::Update& update) {
  Stream* stream = table_.find(frame_.id);
  if (stream == nullptr) return;
  const std::uint32_t more = update.consumed - static_cast<std::uint32_t>(stream->read_by_peer);
  if (more > stream->sent - stream->read_by_peer) return fail("more consumed than was sent");
  stream->read_by_peer += more;
  const bool is_negative = update.window > std::numeric_limits<std::int32_t>::max();
  stream->allowed = stream->read_by_peer + (is_negative ? 0 : update.window);
  if (!stream->is_orphaned) table_.set_deadline(*stream, std::nullopt);
  settle(*stream);
}

std::size_t XsmuxSession::window_of(const Stream& stream) const {
  if (version_ == 1) return kLargestDataFrame;
  return static_cast<std::size_t>(stream.allowed - std::min(stream.allowed, stream.sent));
}

bool XsmuxSession::may_send(const Stream& stream) const {
  if (stream.is_ended) return false;
  if (stream.pending_size() > 0) return window_of(stream) > 0;
  return stream.is_ending && !waits_for_reader(stream);
}

void XsmuxSession::append_frame(std::string& out, Stream& stream) {
  const std::size_t size = std::min({stream.pending_size(), kLargestDataFrame, window_of(stream)});
  stream.is_ended = size == 0;
  xsmux::append_head(out, {.version = version_,
                           .command = size == 0 ? Command::kFin : Command::kPush,
                           .length = static_cast<std::uint16_t>(size),
                           .id = stream.id});
  append_data(out, stream, size);
}

// All has been sent but the FIN, and the peer, whose own came first, has perhaps not read it.
bool XsmuxSession::waits_for_reader(const Stream& stream) const {
  if (!stream.is_ended_by_peer || !stream.is_ending || stream.is_ended) return false;
  if (stream.pending_size() > 0 || limits_.fin_delay == Time{0}) return false;
  return stream.read_by_peer < stream.sent;
}

void XsmuxSession::set_wait(Stream& stream) {
  const bool is_stuck =
      stream.is_ended_by_peer && stream.pending_size() > 0 && window_of(stream) == 0;
  if (waits_for_reader(stream)) {
    const Time until = now_ + limits_.fin_delay;
    table_.set_deadline(stream, std::min(stream.deadline.value_or(until), until));
  } else if (is_stuck) {
    table_.set_deadline(stream, stream.deadline.value_or(now_ + limits_.half_closed_linger));
  } else if (!stream.is_orphaned) {
    table_.set_deadline(stream, std::nullopt);
  }
}

bool XsmuxSession::end_wait(Stream& stream) {
  if (!waits_for_reader(stream)) return false;
  say_end(stream.id);
  stream.is_ended = true;
  settle(stream);
  return true;
}

// After the first bytes, so that the peer learns our window, and then for each half of it.
void XsmuxSession::on_consumed(Stream& stream) {
  if (version_ == 1 || stream.is_ended_by_peer || stream.is_orphaned) return;
  const bool is_first = !stream.is_acknowledged;
  const std::uint64_t used = stream.consumed + stream.window - stream.granted;
  if (!is_first && used < stream.window / 2) return;
  if (is_first) stream.window = std::min(stream.window, limits_.max_window);
  if (!is_first) table_.grow_window(stream, now_);
  stream.is_acknowledged = true;
  stream.granted = std::max(stream.granted, stream.consumed + stream.window);
  stream.granted_at = now_;
  say(Command::kUpdate, stream.id, xsmux::kUpdateBytes);
  xsmux::append_update(
      control_, {.consumed = static_cast<std::uint32_t>(stream.consumed), .window = stream.window});
}

void XsmuxSession::say(Command command, std::uint32_t id, std::uint16_t length) {
  xsmux::append_head(control_,
                     {.version = version_, .command = command, .length = length, .id = id});
}

}  // namespace mux

#include "modules/mux/yamux_session.h"

#include <algorithm>

namespace mux {

namespace {

using yamux::Head;
using yamux::Type;

constexpr std::uint64_t kMostCredit = 0xffff'ffff;

Traits traits_of(Role role) {
  if (role == Role::kClient) return {yamux::kFirstClientId, yamux::kLastClientId, true};
  return {yamux::kFirstServerId, yamux::kLastServerId, true};
}

}  // namespace

YamuxSession::YamuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener,
                           Time now)
    : BaseSession(traits_of(role), limits, worker, listener, now), role_(role) {}

// What comes

std::uint32_t YamuxSession::on_head(std::string_view bytes) {
  const Head head = yamux::head_at(bytes);
  if (head.version != yamux::kVersion) {
    refuse("unknown version");
    return 0;
  }
  switch (head.type) {
    case Type::kData:
      return on_data(head);
    case Type::kWindowUpdate:
      on_window_update(head);
      return 0;
    case Type::kPing:
      on_ping(head);
      return 0;
    case Type::kGoAway:
      on_go_away(head);
      return 0;
  }
  refuse("unknown type");
  return 0;
}

Stream* YamuxSession::stream_of(const Head& head) {
  if (head.has(yamux::kSyn)) return opened_by(head);
  Stream* const stream = find(head.id);
  if (!stream) return nullptr;
  if (head.has(yamux::kRst)) {
    peer_broke(*stream);
    return nullptr;
  }
  return stream;
}

Stream* YamuxSession::opened_by(const Head& head) {
  if (!may_open(head) || head.has(yamux::kRst)) return nullptr;
  if (Stream* const stream = admit(head.id)) return stream;
  say(Type::kWindowUpdate, yamux::kRst, head.id, 0);
  return nullptr;
}

bool YamuxSession::may_open(const Head& head) {
  const bool is_odd = head.id % 2 == 1;
  if (head.id == 0 || is_odd != (role_ == Role::kServer)) {
    refuse("a stream with a number of ours");
    return false;
  }
  // Before there is anything of the stream.
  if (head.type == Type::kData && head.length > kFirstWindow) {
    refuse("data beyond the window");
    return false;
  }
  if (head.type == Type::kWindowUpdate && head.length > kMostCredit - kFirstWindow) {
    refuse("credit beyond what can be counted");
    return false;
  }
  Stream* const stream = find(head.id);
  if (!stream) return true;
  if (!is_over(*stream)) {
    refuse("a stream opened twice");
    return false;
  }
  detach(*stream);
  return true;
}

std::uint32_t YamuxSession::on_data(const Head& head) {
  Stream* const stream = stream_of(head);
  body_id_ = 0;
  if (!goes_on()) return 0;
  if (!stream || stream->is_ended_by_peer) return head.length;
  if (head.length > stream->granted - stream->received) {
    refuse("data beyond the window");
    return 0;
  }
  body_id_ = head.id;
  body_ends_ = head.has(yamux::kFin);
  if (head.length == 0 && body_ends_) peer_ended(*stream);
  return head.length;
}

// The stream may have gone since the head: broken off or closed.
void YamuxSession::on_body(std::string_view part, bool is_last) {
  if (body_id_ == 0) return;
  if (Stream* const stream = find(body_id_)) deliver(*stream, part);
  if (!is_last || !body_ends_) return;
  if (Stream* const stream = find(body_id_)) peer_ended(*stream);
}

void YamuxSession::on_window_update(const Head& head) {
  Stream* const stream = stream_of(head);
  if (!stream) return;
  if (stream->allowed - stream->sent + head.length > kMostCredit)
    return refuse("credit beyond what can be counted");
  stream->allowed += head.length;
  update_ready(*stream);
  if (head.has(yamux::kFin)) peer_ended(*stream);
}

void YamuxSession::on_ping(const Head& head) {
  if (!head.has(yamux::kSyn)) return;
  ++counts().pings;
  if (std::find(pongs_.begin(), pongs_.end(), head.length) != pongs_.end()) return;
  if (pongs_.size() == kMostPongs) pongs_.pop_front();
  pongs_.push_back(head.length);
}

void YamuxSession::on_go_away(const Head& head) {
  if (head.length == yamux::kNormal) return no_more_opens();
  fail(Ending::kPeer, "the peer has given up the session");
}

void YamuxSession::refuse(const char* error) {
  if (!goes_on()) return;
  say(Type::kGoAway, 0, 0, yamux::kProtocolError);
  fail(Ending::kProtocolError, error);
}

// What goes

void YamuxSession::append_turn(Stream& stream, std::string_view payload, bool ends,
                               std::string& out) {
  if (!payload.empty()) {
    const auto length = static_cast<std::uint32_t>(payload.size());
    yamux::append_head(out, {.type = Type::kData, .id = stream.id, .length = length});
    out += payload;
  }
  if (ends)
    yamux::append_head(out, {.type = Type::kWindowUpdate, .flags = yamux::kFin, .id = stream.id});
}

std::uint64_t YamuxSession::peer_room(const Stream& stream) const {
  return stream.allowed - stream.sent;
}

void YamuxSession::announce(Stream& stream) { say(Type::kWindowUpdate, yamux::kSyn, stream.id, 0); }

void YamuxSession::accepted(Stream& stream) {
  stream.is_acknowledged = true;
  notice(frame_of(Type::kWindowUpdate, yamux::kAck, stream.id, 0));
}

void YamuxSession::abort(Stream& stream) { say(Type::kWindowUpdate, yamux::kRst, stream.id, 0); }

void YamuxSession::grant(Stream& stream, std::uint32_t delta_bytes) {
  say(Type::kWindowUpdate, 0, stream.id, delta_bytes);
}

void YamuxSession::keep_alive() { say(Type::kPing, yamux::kSyn, 0, next_ping_++); }

void YamuxSession::announce_drain() { say(Type::kGoAway, 0, 0, yamux::kNormal); }

void YamuxSession::append_urgent(std::string& out) {
  for (const std::uint32_t value : pongs_)
    yamux::append_head(out, {.type = Type::kPing, .flags = yamux::kAck, .length = value});
  pongs_.clear();
}

std::string YamuxSession::frame_of(Type type, std::uint16_t flags, std::uint32_t id,
                                   std::uint32_t length) {
  std::string frame;
  yamux::append_head(frame, {.type = type, .flags = flags, .id = id, .length = length});
  return frame;
}

void YamuxSession::say(Type type, std::uint16_t flags, std::uint32_t id, std::uint32_t length) {
  control(frame_of(type, flags, id, length));
}

}  // namespace mux

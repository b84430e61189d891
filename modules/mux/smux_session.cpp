#include "modules/mux/smux_session.h"

#include <algorithm>

namespace mux {
namespace {

constexpr std::size_t kFramesKept = 10;  // of one answer, by a client that does not read yet
// What an owner leaves because it cannot write: the request's end may be behind it.
constexpr std::size_t kStuckInput = std::size_t{64} << 10;

Traits traits_of(Role role) {
  const bool is_client = role == Role::kClient;
  return {.first_own_id = 1,
          .last_own_id = 0xffff'fffd,
          .is_done_when_drained = is_client,
          .serves_while_drained = true,
          .keeps_alive = false};
}

}  // namespace

// Two streams of a server's own stop its client for good.
SmuxSession::SmuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener,
                         Time now)
    : BaseSession(traits_of(role), limits, worker, listener, now),
      role_(role),
      skipped_(0, id_hash()) {
  if (role == Role::kServer) no_more_opens();
}

// What comes

std::uint32_t SmuxSession::on_head(std::string_view bytes) {
  frame_ = smux::head_at(bytes);
  has_receiver_ = !skipped_.contains(frame_.id) && stream_of(frame_) != nullptr;
  if (!goes_on()) return 0;
  if (frame_.length == 0) end_frame();
  return frame_.length;
}

// Null: whatever comes is nothing to us.
Stream* SmuxSession::stream_of(const smux::Head& head) {
  Stream* stream = find(head.id);
  if (stream && !stream->is_ended_by_peer) return stream;
  if (head.length == 0) return nullptr;
  if (stream && !is_over(*stream)) {
    refuse("data after the end of a request");
    return nullptr;
  }
  if (stream) detach(*stream);
  if (role_ == Role::kClient) return nullptr;  // nothing that we have asked for
  stream = admit(head.id);
  if (stream) return stream;
  say_end(head.id);
  skip(head.id);
  return nullptr;
}

void SmuxSession::on_body(std::string_view part, bool is_last) {
  Stream* const stream = has_receiver_ ? find(frame_.id) : nullptr;
  if (stream) deliver(*stream, part);
  if (is_last && goes_on()) end_frame();
}

void SmuxSession::end_frame() {
  if (frame_.flag != smux::kEnd || skipped_.erase(frame_.id) > 0) return;
  Stream* const stream = has_receiver_ ? find(frame_.id) : nullptr;
  if (stream) peer_ended(*stream);
}

// What a server sends to a number that we have forgotten opens nothing.
void SmuxSession::forgotten(const Stream& stream) {
  if (role_ == Role::kServer && !stream.is_ended_by_peer && goes_on()) skip(stream.id);
}

void SmuxSession::skip(std::uint32_t id) {
  skipped_.insert(id);
  if (skipped_.size() > limits().max_streams) refuse("too many requests go on after their end");
}

// What waits is not sent; but whoever waits for an end is told one.
void SmuxSession::refuse(const char* error) {
  if (!goes_on()) return;
  fail(Ending::kProtocolError, error);
  abort_all();
}

// What goes

bool SmuxSession::may_send(const Stream& stream) const {
  if (stream.is_ended) return false;
  if (role_ == Role::kServer) return may_answer(stream);
  return stream.is_ending || stream.pending_size() > longest_frame(stream);
}

// A whole answer to a whole request; a part of one that is too long; of others only when nothing
// would go on otherwise, since the end of a request may wait for its own answer to leave.
bool SmuxSession::may_answer(const Stream& stream) const {
  const std::size_t size = stream.pending_size();
  const bool has_begun = stream.sent > 0;
  if (stream.is_ending && (stream.is_ended_by_peer || has_begun)) return true;
  const bool is_stuck = is_under_pressure() || waiting_input(stream) >= kStuckInput;
  if (stream.wants_writable && size > 0 && is_stuck) return true;
  if (has_begun) return size > smux::kLongestFrame;
  return stream.is_ended_by_peer && size > std::max(limits().max_held_answer, smux::kLongestFrame);
}

// The last frame ends the stream, so a byte at least is kept for it while more may come.
BaseSession::Turn SmuxSession::turn_of(const Stream& stream) const {
  if (!may_send(stream)) return {};
  const std::size_t size = std::min(stream.pending_size(), longest_frame(stream));
  return {.payload_bytes = size, .ends = stream.is_ending && size == stream.pending_size()};
}

void SmuxSession::append_turn(Stream& stream, std::string_view payload, bool ends,
                              std::string& out) {
  smux::append_head(out, {.length = static_cast<std::uint16_t>(payload.size()),
                          .flag = ends ? smux::kEnd : smux::kMore,
                          .id = stream.id});
  out += payload;
}

std::size_t SmuxSession::longest_frame(const Stream& stream) const {
  if (role_ == Role::kClient) return kLargestDataFrame;
  const bool is_short =
      stream.is_ending && stream.sent + stream.pending_size() <= kFramesKept * kLargestDataFrame;
  return is_short ? kLargestDataFrame : smux::kLongestFrame;
}

// Room for a frame, and the byte after it.
std::size_t SmuxSession::most_pending(const Stream& stream) const {
  const bool is_held = role_ == Role::kServer && stream.sent == 0;
  const std::size_t least = 2 * longest_frame(stream);
  return std::max(limits().max_stream_output, least) + (is_held ? limits().max_held_answer : 0);
}

void SmuxSession::abort(Stream& stream) {
  if (!stream.is_ended) say_end(stream.id);
}

void SmuxSession::say_end(std::uint32_t id) {
  std::string frame;
  smux::append_head(frame, {.flag = smux::kEnd, .id = id});
  control(frame);
}

}  // namespace mux

#include "modules/mux/smux_session.h"

#include <algorithm>

namespace mux {
namespace {

constexpr std::size_t kFramesKept = 10;  // of one answer, by a client that does not read yet

}  // namespace

SmuxSession::SmuxSession(Role role, const Limits& limits, Worker& worker, Listener& listener,
                         Time now)
    : FramedSession(role, limits, worker, listener, now, role == Role::kClient ? 1 : 2) {}

std::size_t SmuxSession::begin_frame(std::string_view head) {
  frame_ = smux::head_at(head);
  body_ = skipped_.contains(frame_.id) ? nullptr : stream_of(frame_);
  return frame_.length;
}

// Null: whatever comes is nothing to us.
Stream* SmuxSession::stream_of(const smux::Head& head) {
  Stream* stream = table_.find(head.id);
  if (stream != nullptr && !stream->is_ended_by_peer) return stream;
  if (head.length == 0) return nullptr;
  if (stream != nullptr) {
    fail("data after the end of a request");
    return nullptr;
  }
  if (role_ == Role::kClient) return nullptr;  // nothing that we have asked for
  stream = accept(head.id);
  if (stream == nullptr) skip(head.id);
  return stream;
}

void SmuxSession::take_payload(std::string_view bytes) {
  if (body_ != nullptr) deliver(*body_, bytes);
}

void SmuxSession::end_frame() {
  if (frame_.flag != smux::kEnd || skipped_.erase(frame_.id) > 0) return;
  if (body_ != nullptr) end_by_peer(*body_);
}

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
  if (stream.wants_writable && size > 0 && is_under_pressure()) return true;
  if (has_begun) return size > smux::kLongestFrame;
  return stream.is_ended_by_peer && size > std::max(limits_.max_held_answer, smux::kLongestFrame);
}

// The last one ends the stream, so a byte at least is kept for it while more may come.
void SmuxSession::append_frame(std::string& out, Stream& stream) {
  const std::size_t size = std::min(stream.pending_size(), longest_frame(stream));
  stream.is_ended = stream.is_ending && size == stream.pending_size();
  smux::append_head(out, {.length = static_cast<std::uint16_t>(size),
                          .flag = stream.is_ended ? smux::kEnd : smux::kMore,
                          .id = stream.id});
  append_data(out, stream, size);
}

std::size_t SmuxSession::longest_frame(const Stream& stream) const {
  if (role_ == Role::kClient) return kLargestDataFrame;
  const bool is_short =
      stream.is_ending && stream.sent + stream.pending_size() <= kFramesKept * kLargestDataFrame;
  return is_short ? kLargestDataFrame : smux::kLongestFrame;
}

void SmuxSession::say_end(std::uint32_t id) {
  smux::append_head(control_, {.flag = smux::kEnd, .id = id});
}

// Room for a frame, and the byte after it.
std::size_t SmuxSession::output_limit(const Stream& stream) const {
  const bool is_held = role_ == Role::kServer && stream.sent == 0;
  const std::size_t least = 2 * longest_frame(stream);
  return std::max(limits_.max_stream_output, least) + (is_held ? limits_.max_held_answer : 0);
}

// What a server sends to a number that we have forgotten opens nothing.
void SmuxSession::on_forgotten_early(std::uint32_t id) {
  if (role_ == Role::kServer) skip(id);
}

void SmuxSession::skip(std::uint32_t id) {
  if (skipped_.size() >= limits_.max_streams)
    return fail("too many requests go on after their end");
  skipped_.insert(id);
}

}  // namespace mux

// What comes: where it goes, how much of it may wait, and what is granted to the peer.
#include <algorithm>

#include "modules/mux/base_session.h"

namespace mux {

namespace {
// Beyond it a peer that sends and does not read is read no more. What empties it is the socket,
// never the peer's next frame.
constexpr std::size_t kMostControl = 64 << 10;
}  // namespace

void BaseSession::deliver(Stream& stream, std::string_view bytes) {
  if (bytes.empty()) return;
  if (stream.is_orphaned) {
    stream.received += bytes.size();
    stream.consumed = stream.received;
    return renew_grant(stream);
  }
  if (traits_.has_windows && is_over_memory(bytes.size())) {
    ++worker_.counts.streams_over_memory;
    return break_off(stream);
  }
  account_input(stream, bytes.size());
  listener_.data(stream, bytes);
  if (stream.wants_writable) update_ready(stream);
}

bool BaseSession::is_over_memory(std::size_t size_bytes) const {
  if (input_ + size_bytes > limits_.max_session_input) return true;
  const bool is_full = worker_.memory_used + size_bytes > worker_.memory_limit;
  return is_full && input_ > kModestInput;
}

void BaseSession::account_input(Stream& stream, std::size_t size_bytes) {
  const bool was_crowded = waiting_input(stream) >= kMostStreamInput;
  stream.received += size_bytes;
  if (!was_crowded && waiting_input(stream) >= kMostStreamInput) ++crowded_;
  input_ += size_bytes;
  worker_.memory_used += size_bytes;
  update_reads();
}

void BaseSession::release_input(Stream& stream, std::size_t size_bytes) {
  const bool was_crowded = waiting_input(stream) >= kMostStreamInput;
  stream.consumed += size_bytes;
  if (was_crowded && waiting_input(stream) < kMostStreamInput) --crowded_;
  input_ -= size_bytes;
  worker_.memory_used -= size_bytes;
  update_reads();
}

// Only a session that has input of its own waits for it to be used, and never for another's: its
// owner's consumed() is what ends the wait.
void BaseSession::update_reads() {
  if (traits_.has_windows) return;
  if (input_ >= limits_.max_session_input ||
      (input_ > 0 && worker_.memory_used >= worker_.memory_limit))
    is_full_ = true;
  else if (input_ == 0 || (input_ <= limits_.max_session_input / 2 &&
                           worker_.memory_used <= worker_.memory_limit / 4 * 3))
    is_full_ = false;
}

bool BaseSession::reads() const {
  const bool is_crowded = !traits_.has_windows && crowded_ > 0;
  return ending_ == Ending::kNone && !is_full_ && !is_crowded && control_.size() < kMostControl;
}

void BaseSession::consumed(Stream& stream, std::size_t size_bytes, Time now) {
  now_ = now;
  release_input(stream, std::min<std::uint64_t>(size_bytes, stream.received - stream.consumed));
  renew_grant(stream);
}

bool BaseSession::is_grant_due(const Stream& stream) const {
  return stream.consumed + stream.window - stream.granted >= stream.window / 2;
}

void BaseSession::renew_grant(Stream& stream) {
  if (!traits_.has_windows || stream.is_ended_by_peer || ending_ != Ending::kNone) return;
  if (!is_grant_due(stream)) return;
  grow_window(stream);
  const std::uint64_t granted = std::max(stream.granted, stream.consumed + stream.window);
  const auto delta = static_cast<std::uint32_t>(granted - stream.granted);
  stream.granted = granted;
  stream.granted_at = now_;
  grant(stream, delta);
}

// Used up fast, the window was what held the peer back. No round trip needs to be measured.
void BaseSession::grow_window(Stream& stream) {
  if (stream.is_orphaned || now_ - stream.granted_at > limits_.window_span) return;
  if (stream.consumed + stream.window - stream.granted < stream.window / 2) return;
  const std::size_t budget =
      worker_.window_limit - std::min(worker_.window_used, worker_.window_limit);
  const std::size_t most =
      limits_.max_window - std::min<std::size_t>(stream.window, limits_.max_window);
  const std::size_t growth = std::min({std::size_t{stream.window}, most, budget});
  if (growth == 0) return;
  stream.window += static_cast<std::uint32_t>(growth);
  worker_.window_used += growth;
  ++worker_.counts.windows_grown;
}

}  // namespace mux

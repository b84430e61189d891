// Output: gathered while a hook runs, sent when it has returned; what the kernel does not take
// waits in a buffer.
#include <algorithm>
#include <array>
#include <cerrno>

#include "worker/connection_hooks.h"

namespace drover {
namespace {

constexpr std::size_t kLargeWrite = std::size_t{16} << 10;

}  // namespace

bool Connection::may_write() const {
  return state_ == State::kServing && !wants_fin_ && !is_broken_ && !is_sending_;
}

void Connection::write(std::string_view bytes) {
  if (output_ != nullptr) return queue(bytes);
  if (!core().gather().is_for(handle())) return write_from_outside(bytes);
  if (may_write() && !core().gather().add(bytes)) send_gathered(bytes);
  note_high_water();
}

// No hook of this connection is running: nothing is gathered. What is large goes at once, for to
// keep it costs more than the system call, but not through a carrier: its hook would run inside of
// the one that writes.
void Connection::write_from_outside(std::string_view bytes) {
  if (bytes.size() < kLargeWrite || is_child_) return queue(bytes);
  if (!may_write()) return;
  iovec slice{const_cast<char*>(bytes.data()), bytes.size()};
  send_slices(std::span(&slice, 1));
  settle_soon();
}

void Connection::write(LentBytes lent) { queue(std::move(lent)); }
void Connection::write(FileRange range) { queue(std::move(range)); }

// What may not be written goes unsent; lent bytes are then released.
template <class Output>
void Connection::queue(Output output) {
  if (!may_write()) return;
  if (core().gather().is_for(handle())) keep_gathered();
  keep_output(std::move(output));
  note_high_water();
  settle_soon();
}

// At the write, not when what the kernel takes has left: a module that has seen so much pending may
// be waiting for on_writable.
void Connection::note_high_water() {
  if (pending_output() > ConnectionCore::kHighWater) is_throttled_ = true;
}

// So that what the running hook wrote before keeps its place.
void Connection::keep_gathered() {
  WriteGather& gather = core().gather();
  for (const iovec& slice : gather.slices()) {
    keep_output(std::string_view(static_cast<const char*>(slice.iov_base), slice.iov_len));
  }
  gather.clear();
}

// Sends what was gathered and `more` after it.
void Connection::send_gathered(std::string_view more) {
  WriteGather& gather = core().gather();
  std::array<iovec, WriteGather::kMaxSlices + 1> slices;
  std::size_t count = static_cast<std::size_t>(
      std::ranges::copy(gather.slices(), slices.begin()).out - slices.begin());
  if (!more.empty()) slices[count++] = {const_cast<char*>(more.data()), more.size()};
  if (count > 0) send_slices(std::span(slices).first(count));
  gather.clear();
}

// Keeps what the kernel leaves.
void Connection::send_slices(std::span<iovec> slices) {
  is_sending_ = true;
  const ssize_t result = transport().send(slices, wants_fin_);
  is_sending_ = false;
  if (result < 0 && !means_later(errno)) break_with(DROVER_RESET);
  std::size_t sent = result < 0 ? 0 : static_cast<std::size_t>(result);
  if (sent > 0) note_sent(sent);
  for (const iovec& slice : slices) {
    const std::size_t skip = std::min(sent, slice.iov_len);
    sent -= skip;
    if (skip == slice.iov_len || is_broken_) continue;
    keep_output(
        std::string_view(static_cast<const char*>(slice.iov_base) + skip, slice.iov_len - skip));
    transport_is_full_ = true;
  }
}

void Connection::send_pending() {
  if (output_ == nullptr || transport_is_full_) return;
  is_sending_ = true;
  const OutputQueue::Sent sent = output_->send(transport(), wants_fin_);
  is_sending_ = false;
  if (sent.size_bytes > 0) note_sent(sent.size_bytes);
  if (sent.is_broken) return break_with(DROVER_RESET);
  transport_is_full_ = sent.is_full && output_->size() > 0;
  if (output_->size() == 0) output_.reset();
}

template <class Output>
void Connection::keep_output(Output output) {
  if (output_ == nullptr) {
    output_ = std::make_unique<OutputQueue>();
    is_touched_ = true;  // the write timeout begins
  }
  output_->append(std::move(output));
}

void Connection::note_sent(std::size_t size_bytes) {
  bytes_out_ += size_bytes;
  is_touched_ = true;
  if (!is_child_) ConnectionCore::count(core().counters().bytes_out, size_bytes);
}

std::size_t Connection::pending_output() const {
  WriteGather& gather = core().gather();
  const std::size_t gathered = gather.is_for(handle()) ? gather.size() : 0;
  return gathered + (output_ == nullptr ? 0 : output_->size());
}

// Bounds what a slow reader costs: above the high-water mark its requests wait in the kernel.
void Connection::check_water() {
  const std::size_t pending = pending_output();
  if (!is_throttled_) {
    is_throttled_ = pending > ConnectionCore::kHighWater;
  } else if (pending < ConnectionCore::kLowWater) {
    is_throttled_ = false;
    is_touched_ = true;
    const bool may_write_more = state_ == State::kServing && !wants_fin_;
    if (!may_write_more || server_->module.on_writable == nullptr) return;
    call(server_->module.on_writable);
    send_gathered({});
    is_throttled_ = pending_output() > ConnectionCore::kHighWater;
  }
}

}  // namespace drover

// Output: gathered while a hook runs, sent when it has returned; what the kernel does not take
// waits in a buffer.
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "worker/connection_hooks.h"

namespace drover {
namespace {

// Nothing is worth telling apart from "later": a real error shows at the next call, or when the
// socket is read.
bool is_full(int error) { return error == EAGAIN || error == EINTR || error == ENOBUFS; }

// With MSG_MORE the kernel keeps the last segment for what follows at once, here the end of stream:
// one packet in the place of two, and the client is woken once (tcp(7), TCP_CORK).
ssize_t send_slices(int fd, std::span<iovec> slices, bool fin_follows) {
  const int flags = fin_follows ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
  if (slices.size() == 1) return ::send(fd, slices[0].iov_base, slices[0].iov_len, flags);
  msghdr message{};
  message.msg_iov = slices.data();
  message.msg_iovlen = slices.size();
  return ::sendmsg(fd, &message, flags);
}

}  // namespace

void Connection::write(std::string_view bytes) {
  if (state_ != State::kServing || wants_fin_ || is_broken_) return;
  if (output_ != nullptr || !core().gather().is_for(handle())) {
    queue(bytes);
    settle_soon();
  } else if (!core().gather().add(bytes)) {
    send_gathered(bytes);
  }
}

// Sends what was gathered and `more` after it; keeps what the kernel leaves.
void Connection::send_gathered(std::string_view more) {
  WriteGather& gather = core().gather();
  std::array<iovec, WriteGather::kMaxSlices + 1> slices;
  std::size_t count = static_cast<std::size_t>(
      std::ranges::copy(gather.slices(), slices.begin()).out - slices.begin());
  if (!more.empty()) slices[count++] = {const_cast<char*>(more.data()), more.size()};
  if (count == 0) return;

  const ssize_t result = send_slices(fd_.get(), std::span(slices).first(count), wants_fin_);
  if (result < 0 && !is_full(errno)) break_with(DROVER_RESET);
  std::size_t sent = result < 0 ? 0 : static_cast<std::size_t>(result);
  if (sent > 0) note_sent(sent);
  for (const iovec& slice : std::span(slices).first(count)) {
    const std::size_t skip = std::min(sent, slice.iov_len);
    sent -= skip;
    if (skip == slice.iov_len || is_broken_) continue;
    queue({static_cast<const char*>(slice.iov_base) + skip, slice.iov_len - skip});
    kernel_is_full_ = true;
  }
  gather.clear();
}

void Connection::send_pending() {
  if (output_ == nullptr || kernel_is_full_) return;
  const std::string_view bytes = output_->front();
  const ssize_t result = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result < 0 && !is_full(errno)) return break_with(DROVER_RESET);
  const std::size_t sent = result < 0 ? 0 : static_cast<std::size_t>(result);
  kernel_is_full_ = sent < bytes.size();
  if (sent > 0) note_sent(sent);
  output_->drop_front(sent);
  if (output_->size() == 0) output_.reset();
}

void Connection::queue(std::string_view bytes) {
  if (output_ == nullptr) {
    output_ = std::make_unique<OutputBuffer>();
    is_touched_ = true;  // the write timeout begins
  }
  output_->append(bytes);
}

void Connection::note_sent(std::size_t size_bytes) {
  bytes_out_ += size_bytes;
  is_touched_ = true;
  ConnectionCore::count(core().counters().bytes_out, size_bytes);
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
    if (state_ != State::kServing || server_->module.on_writable == nullptr) return;
    call(server_->module.on_writable);
    send_gathered({});
    is_throttled_ = pending_output() > ConnectionCore::kHighWater;
  }
}

}  // namespace drover

#include "worker/child_transport.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "worker/hook_run.h"
#include "worker/write_gather.h"

namespace drover {
namespace {

constexpr std::size_t kPart = std::size_t{16} << 10;

}  // namespace

// The carrier's instance has had a hook run: its on_batch_end is due.
template <class Hook, class... Args>
auto ChildTransport::call(Hook hook, Args... args) {
  const HookRun run(*carrier_.server);
  return hook(carrier_.server->instance, carrier_.argument, args...);
}

bool ChildTransport::put(std::string_view bytes) {
  if (!has_room(bytes.size())) return false;
  append(bytes);
  waiting_ += static_cast<std::uint32_t>(bytes.size());
  return true;
}

bool ChildTransport::lend(std::size_t size_bytes) {
  const bool is_worth_it = lent_ == 0 || size_bytes >= kLeastLent;
  if (!inbox_.empty() || !is_worth_it || !has_room(size_bytes)) return false;
  waiting_ += static_cast<std::uint32_t>(size_bytes);
  lent_ += static_cast<std::uint32_t>(size_bytes);
  return true;
}

bool ChildTransport::use_lent(std::size_t size_bytes) {
  if (kept_ > 0 || is_reset_) return false;
  waiting_ -= static_cast<std::uint32_t>(size_bytes);
  return_lent(size_bytes);
  tell_consumed(size_bytes);
  return true;
}

// The inbox was empty when they were lent: its front is the first part.
void ChildTransport::keep_lent(std::string_view bytes) {
  inbox_.emplace(inbox_.begin() + kept_++, bytes);
  return_lent(bytes.size());
}

void ChildTransport::return_lent(std::size_t size_bytes) {
  lent_ -= static_cast<std::uint32_t>(size_bytes);
  if (lent_ == 0) kept_ = 0;
}

void ChildTransport::append(std::string_view bytes) {
  if (front_ > inbox_.size() / 2) {  // or it would grow for as long as something waits
    inbox_.erase(inbox_.begin(), inbox_.begin() + front_);
    front_ = 0;
  }
  const bool is_behind_lent = lent_ > 0 && kept_ == inbox_.size();  // more may be kept before it
  if (inbox_.empty() || is_behind_lent || inbox_.back().size() + bytes.size() > kPart) {
    inbox_.emplace_back();
  }
  inbox_.back().append(bytes);
}

// Out of the inbox. An idle stream keeps none.
std::size_t ChildTransport::take(std::span<char> buffer) {
  std::size_t size = 0;
  while (size < buffer.size() && front_ < inbox_.size()) {
    const std::string& part = inbox_[front_];
    const std::size_t copied = part.copy(buffer.data() + size, buffer.size() - size, front_read_);
    size += copied;
    front_read_ += static_cast<std::uint32_t>(copied);
    if (front_read_ < part.size()) break;
    std::string().swap(inbox_[front_++]);
    front_read_ = 0;
  }
  waiting_ -= static_cast<std::uint32_t>(size);
  if (front_ == inbox_.size()) {
    std::vector<std::string>().swap(inbox_);
    front_ = 0;
  }
  return size;
}

void ChildTransport::tell_consumed(std::size_t size_bytes) {
  if (carrier_.table.consumed != nullptr) call(carrier_.table.consumed, size_bytes);
}

ssize_t ChildTransport::receive(std::span<char> buffer) {
  if (is_reset_) {
    errno = ECONNRESET;
    return -1;
  }
  const std::size_t size = take(buffer);
  if (size > 0) {
    tell_consumed(size);
  } else if (!peer_ended_) {
    errno = EAGAIN;
    return -1;
  }
  return static_cast<ssize_t>(size);
}

ssize_t ChildTransport::send(std::span<iovec> slices, bool /*more_follows*/) {
  std::array<drover_slice, WriteGather::kMaxSlices + 1> out;
  const std::size_t count = std::min(slices.size(), out.size());
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = {slices[i].iov_base, slices[i].iov_len};
    wanted += slices[i].iov_len;
  }
  const std::size_t taken = call(carrier_.table.write, out.data(), count);
  is_writable_ = taken >= wanted;
  errno = taken > wanted ? EPROTO : EAGAIN;  // more than there was: the carrier is out of its mind
  return taken == 0 || taken > wanted ? -1 : static_cast<ssize_t>(taken);
}

// Through the worker's read buffer, of which no hook has anything, and nothing is lent, while a
// connection sends what waits.
ssize_t ChildTransport::send_file(int file, std::uint64_t offset, std::size_t size_bytes) {
  char* const buffer = carrier_.server->core.read_buffer();
  const ssize_t size = pread(file, buffer, std::min(size_bytes, ConnectionCore::kReadBuffer),
                             static_cast<off_t>(offset));
  if (size <= 0) return size;
  iovec slice{buffer, static_cast<std::size_t>(size)};
  return send(std::span(&slice, 1), false);
}

bool ChildTransport::end_output() {
  if (carrier_.table.half_close != nullptr) call(carrier_.table.half_close);
  return true;
}

void ChildTransport::close(drover_close_reason reason, bool is_in_order) {
  call(carrier_.table.close, reason, is_in_order ? 1 : 0);
}

void ChildTransport::watch(event_base* /*base*/, short what, Connection* /*connection*/) {
  watched_ = what;
}

short ChildTransport::ready() const {
  const bool is_read = (watched_ & EV_READ) != 0 && (watched_ & EV_ET) == 0;
  const bool has_input = is_read && (waiting() > 0 || peer_ended_);
  const bool has_room = (watched_ & EV_WRITE) != 0 && is_writable_;
  return static_cast<short>((is_reset_ || has_input ? EV_READ : 0) | (has_room ? EV_WRITE : 0));
}

bool ChildTransport::is_reset(bool /*peer_ended*/) const { return is_reset_; }

}  // namespace drover

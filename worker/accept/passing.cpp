#include "worker/accept/passing.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "common/scm_rights.h"

namespace drover {
namespace {

// A message and the room its descriptors need, wired together.
struct Envelope {
  PassedBatch batch{};
  iovec bytes{&batch, sizeof batch};
  DescriptorRoom<kMaxPassed> room;
  msghdr header{};

  Envelope() {
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
  }
  Envelope(const Envelope&) = delete;
  Envelope& operator=(const Envelope&) = delete;
};

constexpr std::size_t batch_size(std::size_t count) {
  return offsetof(PassedBatch, listener_ids) + count * sizeof(std::uint32_t);
}

bool is_well_formed(const Envelope& envelope, ssize_t size) {
  return size >= static_cast<ssize_t>(batch_size(0)) && envelope.batch.count <= kMaxPassed &&
         static_cast<std::size_t>(size) == batch_size(envelope.batch.count);
}

}  // namespace

int send_batch(int send_fd, std::span<const Passed> batch) {
  Envelope envelope;
  envelope.batch.count = static_cast<std::uint32_t>(batch.size());
  envelope.bytes.iov_len = batch_size(batch.size());
  std::array<int, kMaxPassed> fds{};
  for (std::size_t i = 0; i < batch.size(); ++i) {
    envelope.batch.listener_ids[i] = batch[i].listener_id;
    fds[i] = batch[i].fd.get();
  }
  attach_descriptors(envelope.header, envelope.room.bytes, std::span(fds).first(batch.size()));
  const ssize_t sent = sendmsg(send_fd, &envelope.header, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? errno : 0;
}

// Without room for descriptors the kernel installs none; those of the message stay with it.
std::optional<std::size_t> peek_batch(int receive_fd) {
  Envelope envelope;
  const ssize_t size = recvmsg(receive_fd, &envelope.header, MSG_PEEK | MSG_DONTWAIT);
  if (size <= 0) return std::nullopt;
  return is_well_formed(envelope, size) ? envelope.batch.count : 0;
}

ReceivedBatch receive_batch(int receive_fd) {
  Envelope envelope;
  make_room_for_descriptors(envelope.header, envelope.room.bytes);
  const ssize_t size = recvmsg(receive_fd, &envelope.header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size <= 0) return {};
  std::vector<UniqueFd> fds = take_descriptors(envelope.header);
  if (!is_well_formed(envelope, size)) return {};

  ReceivedBatch received;
  const std::size_t count = std::min<std::size_t>(fds.size(), envelope.batch.count);
  received.lost = envelope.batch.count - count;
  for (std::size_t i = 0; i < count; ++i) {
    received.connections.push_back({std::move(fds[i]), envelope.batch.listener_ids[i]});
  }
  return received;
}

bool has_descriptors(int some_fd, std::size_t count) {
  std::vector<UniqueFd> tried;
  tried.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    tried.emplace_back(fcntl(some_fd, F_DUPFD_CLOEXEC, 0));
    if (!tried.back().is_open()) return false;
  }
  return true;
}

}  // namespace drover

#include "worker/socket_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <cerrno>

namespace drover {
namespace {

// The kernel falls back to delayed ACKs by itself, so it must be told again after each read.
void rearm_quickack(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);  // a unix socket refuses: no matter
}

}  // namespace

ssize_t SocketTransport::receive(std::span<char> buffer) {
  const ssize_t result = recv(fd_.get(), buffer.data(), buffer.size(), 0);
  if (quickack_ && result > 0) rearm_quickack(fd_.get());
  return result;
}

// With MSG_MORE the kernel keeps the last segment for what follows: one packet in the place of two,
// and the client is woken once (tcp(7), TCP_CORK).
ssize_t SocketTransport::send(std::span<iovec> slices, bool more_follows) {
  const int flags = more_follows ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
  if (slices.size() == 1) return ::send(fd_.get(), slices[0].iov_base, slices[0].iov_len, flags);
  msghdr message{};
  message.msg_iov = slices.data();
  message.msg_iovlen = slices.size();
  return ::sendmsg(fd_.get(), &message, flags);
}

ssize_t SocketTransport::send_file(int file, std::uint64_t offset, std::size_t size_bytes) {
  auto position = static_cast<off_t>(offset);
  return sendfile(fd_.get(), file, &position, size_bytes);
}

// ENOTCONN: the peer has reset it meanwhile; nothing more will come.
bool SocketTransport::end_output() { return shutdown(fd_.get(), SHUT_WR) == 0; }

void SocketTransport::close(drover_close_reason /*reason*/, bool /*is_in_order*/) {
  event_.stop();
  fd_.reset();
}

void SocketTransport::watch(event_base* base, short what, Connection* connection) {
  event_.start(base, fd_.get(), what, connection);
}

// POLLHUP alone says that both ends have ended: bytes may still wait before the peer's, unless it
// has been read.
bool SocketTransport::is_reset(bool peer_ended) const {
  pollfd state{fd_.get(), 0, 0};
  const int gone = peer_ended ? POLLERR | POLLHUP : POLLERR;
  return poll(&state, 1, 0) == 1 && (state.revents & gone) != 0;
}

int SocketTransport::connect_error() const {
  int error = 0;
  socklen_t size = sizeof error;
  return getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace drover

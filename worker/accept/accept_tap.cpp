#include "worker/accept/accept_tap.h"

#include <cerrno>
#include <utility>

#include "common/fault.h"

namespace drover {
namespace {

enum class Outcome { kTaken, kEmpty, kPeerGone, kExhausted };

Outcome judge(int error_number) {
  switch (error_number) {
    case EAGAIN:
      return Outcome::kEmpty;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return Outcome::kExhausted;
    // accept(2): Linux passes errors that are already pending on the new connection; try the next
    // one. EPERM comes from a firewall rule.
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
      return Outcome::kPeerGone;
    case 0:
      return Outcome::kTaken;
    default:  // such as EACCES from a security module; it is this connection's trouble
      DROVER_CHECK(error_number != EBADF && error_number != EINVAL && error_number != ENOTSOCK);
      return Outcome::kPeerGone;
  }
}

// 0 or the errno of accept4.
int accept_one(int listening_fd, Accepted& connection) {
  if (fault("enfile")) return ENFILE;
  connection.peer_size = sizeof connection.peer;
  const int fd = accept4(listening_fd, reinterpret_cast<sockaddr*>(&connection.peer),
                         &connection.peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return errno;
  connection.fd.reset(fd);
  // An unnamed unix peer comes with its family only.
  if (connection.peer_size <= sizeof(sa_family_t)) connection.peer_size = 0;
  return 0;
}

}  // namespace

Taken AcceptTap::take(const AcceptQueue& queue, int budget) {
  SlotCounters& counters = host_.heritage().my_seat().counters;
  Taken taken;
  for (int tries = 0; tries != budget && host_.has_room(); ++tries) {
    Accepted connection;
    connection.listener = &queue.listener();
    const int error_number = accept_one(queue.fd(), connection);
    const Outcome outcome = judge(error_number);
    if (outcome == Outcome::kPeerGone) continue;
    if (outcome == Outcome::kExhausted) host_.on_descriptors_exhausted(error_number);
    taken.ran_dry = outcome == Outcome::kEmpty;
    if (outcome != Outcome::kTaken) break;
    ++taken.count;
    counters.accepted.fetch_add(1, std::memory_order_relaxed);
    host_.on_accepted(std::move(connection));
  }
  return taken;
}

}  // namespace drover

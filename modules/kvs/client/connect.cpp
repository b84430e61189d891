#include "modules/kvs/client/connect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>

#include "common/units.h"

namespace kvs::client {
namespace {

using drover::Error;
using std::chrono::milliseconds;

// connect() waits no longer than the socket's send timeout (socket(7)); also for a unix socket
// whose queue is full, for which there would be nothing to poll. A timeout of 0 would be for ever.
void limit_connect(int fd, milliseconds timeout) {
  const auto ms = std::max<milliseconds::rep>(timeout.count(), 1);
  const timeval limit{.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Error why_not(const drover::Address& address, milliseconds timeout) {
  const bool is_late = errno == EINPROGRESS || errno == EAGAIN;
  const std::string what = "cannot connect to " + address.to_string();
  if (is_late) return Error(what + ": no answer within " + drover::format_duration(timeout));
  return Error::from_errno(what);
}

}  // namespace

drover::Result<drover::UniqueFd> connect_to(const drover::Address& address, milliseconds timeout) {
  drover::UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return Error::from_errno("socket");
  limit_connect(fd.get(), timeout);
  if (::connect(fd.get(), address.get(), address.size()) != 0) return why_not(address, timeout);
  const int on = 1;
  // A unix socket has no such option, and needs none.
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return Error::from_errno("fcntl");
  return fd;
}

}  // namespace kvs::client

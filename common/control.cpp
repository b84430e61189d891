#include "common/control.h"

#include <unistd.h>

#include <cerrno>

namespace drover {

ucred peer_of(int fd) {
  ucred credentials{0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  socklen_t size = sizeof credentials;
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  return credentials;
}

bool is_nobody_there(int error) {
  return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

bool may_control(const ucred& peer) { return peer.uid == 0 || peer.uid == geteuid(); }

}  // namespace drover

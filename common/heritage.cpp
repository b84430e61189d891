#include "common/heritage.h"

#include <sys/eventfd.h>

namespace drover {

const char* to_string(Role role) {
  switch (role) {
    case Role::kValidator:
      return "validator";
    case Role::kWorker:
      return "worker";
    case Role::kAcceptor:
      return "acceptor";
  }
  return "unknown";
}

std::vector<int> Heritage::descriptors() const {
  std::vector<int> fds{channel_fd, log->fd()};
  for (const ListenerHeritage& listener : listeners) fds.push_back(listener.fd);
  for (const PassingPair& pair : passing) fds.insert(fds.end(), {pair.send_fd, pair.receive_fd});
  for (const ModuleImageHeritage& image : modules) fds.push_back(image.fd);
  for (const ZoneHeritage& zone : zones) fds.push_back(zone.fd);
  fds.insert(fds.end(), doorbells.begin(), doorbells.end());
  fds.insert(fds.end(), access_log_fds.begin(), access_log_fds.end());
  std::erase(fds, -1);
  return fds;
}

// Full only after 2^64 - 2 unread rings, in which case it is ringing.
void ring_doorbell(int fd) { eventfd_write(fd, 1); }

}  // namespace drover

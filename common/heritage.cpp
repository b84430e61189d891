#include "common/heritage.h"

#include <fmt/format.h>
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
    case Role::kHelper:
      return "helper";
  }
  return "unknown";
}

std::vector<int> Heritage::descriptors() const {
  std::vector<int> fds{channel_fd, log->fd(), scoreboard_fd, metrics_fd, control_fd};
  for (const PredecessorHeritage& each : predecessors)
    fds.insert(fds.end(), {each.scoreboard_fd, each.metrics_fd});
  for (const ListenerHeritage& listener : listeners) fds.push_back(listener.fd);
  for (const PassingPair& pair : passing) fds.insert(fds.end(), {pair.send_fd, pair.receive_fd});
  for (const ModuleImageHeritage& image : modules) fds.push_back(image.fd);
  for (const ZoneHeritage& zone : zones) fds.push_back(zone.fd);
  for (const HelperHeritage& helper : helpers) fds.push_back(helper.doorbell);
  fds.insert(fds.end(), doorbells.begin(), doorbells.end());
  fds.insert(fds.end(), access_log_fds.begin(), access_log_fds.end());
  std::erase(fds, -1);
  return fds;
}

std::string Heritage::title() const {
  std::string which;
  if (role == Role::kWorker) which = fmt::format(" {}", slot);
  if (role == Role::kHelper) {
    const HelperHeritage& me = helpers[static_cast<std::size_t>(slot)];
    which = fmt::format(" {}/{}", settings->servers[me.server].name, me.name);
  }
  return fmt::format("{}{} gen {}", to_string(role), which, generation);
}

// Nobody reads a doorbell, and a write that finds it full wakes nobody: one that a process gone mad
// has filled would be deaf for ever. Two who empty it at once are no harm, each rings afterwards.
void ring_doorbell(int fd) {
  if (eventfd_write(fd, 1) == 0) return;
  eventfd_t rung = 0;
  eventfd_read(fd, &rung);
  eventfd_write(fd, 1);
}

}  // namespace drover

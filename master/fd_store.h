// What systemd keeps of this service for when all of its processes have died (FDSTORE): every
// listening socket and zone in use, and nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "master/notify.h"

namespace drover {

// Names in the store: what may stand in FDNAME= is printable ASCII without ':'.
[[nodiscard]] std::string stored_zone_name(const std::string& zone);
[[nodiscard]] bool is_stored_zone(const std::string& name);
// `path_inode`: of a unix socket's file, 0 for others; a path that leads to another file by now is
// not this socket's.
[[nodiscard]] std::string stored_listener_name(std::uint32_t id, std::uint64_t path_inode);
struct StoredListener {
  std::uint32_t id = 0;
  std::uint64_t path_inode = 0;
};
[[nodiscard]] std::optional<StoredListener> parse_stored_listener(const std::string& name);

struct StoredFd {
  std::string name;
  int fd = -1;
};

class FdStore {
 public:
  explicit FdStore(Notify& notify) : notify_(notify) {}
  // What is there already: given by a predecessor, or passed to this start.
  void know(const StoredFd& entry);
  // Takes these out now, and waits until they are closed: they may be in the way of a bind().
  void give_up(const std::vector<std::string>& names);
  // From now on exactly these are to be there.
  void update(const std::vector<StoredFd>& wanted);

 private:
  Notify& notify_;
  std::map<std::string, ino_t> stored_;
};

}  // namespace drover

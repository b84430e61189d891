#include "master/passed_fds.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "common/units.h"
#include "common/zone.h"
#include "master/fd_store.h"

namespace drover {
namespace {

bool is_socket(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

Address bound_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return {reinterpret_cast<const sockaddr*>(&storage), size};
}

bool leads_to(const Address& address, std::uint64_t inode) {
  struct stat status {};
  return lstat(address.path().c_str(), &status) == 0 && status.st_ino == inode;
}

// What a socket unit should say instead.
Status check_kind(int fd, const std::string& name) {
  int type = 0;
  socklen_t size = sizeof type;
  getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
  if (type != SOCK_STREAM)
    return Error(
        fmt::format("systemd passes {}, which is no stream socket: a socket unit for "
                    "this service needs ListenStream=",
                    name));
  sockaddr_storage peer{};
  size = sizeof peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0)
    return Error(
        fmt::format("systemd passes {}, which is a connection: a socket unit for this "
                    "service needs Accept=no",
                    name));
  return Done{};
}

class Sorter {
 public:
  explicit Sorter(const Settings& settings) : settings_(settings) {}

  Status add(PassedFd passed);
  SortedFds finish();

 private:
  Status add_socket(PassedFd passed);
  Status add_zone(const ZoneSettings& wanted, PassedFd passed);
  [[nodiscard]] const ListenSettings* find_listen(const Address& address) const;
  void drop(const PassedFd& passed, const std::string& why) {
    warnings_.push_back(fmt::format("{}, passed by systemd, is closed: {}", passed.name, why));
    if (parse_stored_listener(passed.name)) useless_.push_back(passed.name);
  }

  const Settings& settings_;
  std::map<std::string, MasterHeritage::Group> groups_;
  MasterHeritage heritage_;
  std::vector<UniqueFd> fds_;
  std::vector<std::string> warnings_;
  std::vector<std::string> useless_;
};

Status Sorter::add(PassedFd passed) {
  if (is_socket(passed.fd.get())) return add_socket(std::move(passed));
  for (const ZoneSettings& zone : settings_.zones) {
    if (stored_zone_name(zone.name) == passed.name) return add_zone(zone, std::move(passed));
  }
  drop(passed, "the configuration does not name it");
  return Done{};
}

const ListenSettings* Sorter::find_listen(const Address& address) const {
  for (const ServerSettings& server : settings_.servers) {
    const auto found = std::ranges::find(server.listens, address, &ListenSettings::address);
    if (found != server.listens.end()) return &*found;
  }
  return nullptr;
}

// The service manager makes what it passes blocking, unless told otherwise (NonBlocking=). A socket
// unit's has no SO_REUSEPORT; with it others may join, as on sockets that are bound here.
Status Sorter::add_socket(PassedFd passed) {
  const int fd = passed.fd.get();
  DROVER_TRY_DO(check_kind(fd, passed.name));
  const Address address = bound_address(fd);
  const auto stored = parse_stored_listener(passed.name);
  const bool is_wanted = find_listen(address) != nullptr;
  if (!is_wanted && stored)
    return drop(passed, fmt::format("no server listens on {}", address.to_string())), Done{};
  if (!is_wanted)
    warnings_.push_back(fmt::format("{}, passed by systemd, waits for a server: none listens on {}",
                                    passed.name, address.to_string()));
  if (stored && address.is_unix() && !leads_to(address, stored->path_inode))
    return drop(passed, fmt::format("{} is not its file any more", address.path())), Done{};
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  if (!address.is_unix()) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  auto& group = groups_[address.to_string()];
  group.members.push_back({stored ? stored->id : 0, fd, !stored.has_value()});
  fds_.push_back(std::move(passed.fd));
  return Done{};
}

// Contents are its owner's if the first worker that asks for it says so (ZoneState::kStored).
Status Sorter::add_zone(const ZoneSettings& wanted, PassedFd passed) {
  const int fd = passed.fd.get();
  const auto header = read_zone_header(fd, wanted.size_bytes);
  const bool fits = header.ok() && is_sealed_zone(fd, wanted.size_bytes);
  const std::string why =
      fmt::format("it is no zone of {}{}", format_size(wanted.size_bytes),
                  header.ok() ? "" : fmt::format(": {}", header.error().message()));
  if (!fits && wanted.keep_required)
    return Error(fmt::format("{}: [zone {}] keep = required, but of what systemd has stored {}",
                             wanted.source.to_string(), wanted.name, why));
  if (!fits) return drop(passed, why), Done{};
  if (header.value().state >= ZoneState::kReady)
    DROVER_TRY_DO(
        write_zone_state(fd, wanted.keep_required ? ZoneState::kReady : ZoneState::kStored));
  heritage_.zones.push_back({wanted.name, wanted.size_bytes, fd});
  fds_.push_back(std::move(passed.fd));
  return Done{};
}

// Members of a group are in the order in which they joined the kernel's; a socket of a socket unit
// was there first. Steering may have been left on a group by whoever had it.
SortedFds Sorter::finish() {
  std::uint32_t next_id = 1;
  for (auto& [address, group] : groups_) {
    for (const auto& member : group.members) next_id = std::max(next_id, member.id + 1);
  }
  for (auto& [address, group] : groups_) {
    group.address = address;
    std::ranges::stable_sort(group.members, {}, &MasterHeritage::Member::id);
    for (auto& member : group.members) {
      if (member.id == 0) member.id = next_id++;
    }
    group.active = static_cast<int>(group.members.size());
    group.is_steered = group.members.size() > 1;
    heritage_.groups.push_back(std::move(group));
  }
  return {Inheritance(std::move(heritage_), std::move(fds_)), std::move(warnings_),
          std::move(useless_)};
}

}  // namespace

std::vector<PassedFd> take_passed_fds() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(1, &names);
  std::vector<PassedFd> passed;
  for (int i = 0; i < count; ++i) {
    passed.push_back({names[i], UniqueFd(SD_LISTEN_FDS_START + i)});
    std::free(names[i]);
  }
  std::free(static_cast<void*>(names));
  return passed;
}

Result<SortedFds> sort_passed_fds(std::vector<PassedFd> passed, const Settings& settings) {
  Sorter sorter(settings);
  for (PassedFd& each : passed) DROVER_TRY_DO(sorter.add(std::move(each)));
  return sorter.finish();
}

}  // namespace drover

#include "master/listen_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fault.h"

namespace drover {
namespace {

Status set_option(int fd, int level, int name, int value, const char* what) {
  if (setsockopt(fd, level, name, &value, sizeof value) == 0) return Done{};
  return Error::from_errno(what);
}

Result<UniqueFd> new_socket(const Address& address) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return Error::from_errno("socket");
  return fd;
}

Result<int> option_of(int fd, int level, int name, const char* what) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd, level, name, &value, &size) != 0) return Error::from_errno(what);
  return value;
}

// 0 stands for the kernel's own value, which `fresh` has: a socket that was kept over a reload may
// have another. It is not set without need, because the kernel's own follows the sysctl.
Status set_keepalive(int fd, int fresh, int name, int value) {
  if (value > 0) return set_option(fd, IPPROTO_TCP, name, value, "keepalive");
  DROVER_TRY(const int own, option_of(fresh, IPPROTO_TCP, name, "keepalive"));
  DROVER_TRY(const int now, option_of(fd, IPPROTO_TCP, name, "keepalive"));
  return now == own ? Status(Done{}) : set_option(fd, IPPROTO_TCP, name, own, "keepalive");
}

struct Buffer {
  int option;
  int lock;
  const char* name;
};
constexpr Buffer kReceiveBuffer{SO_RCVBUF, SOCK_RCVBUF_LOCK, "rcvbuf"};
constexpr Buffer kSendBuffer{SO_SNDBUF, SOCK_SNDBUF_LOCK, "sndbuf"};

// A size that was set is locked: the kernel adapts it no more. Before Linux 5.14 it cannot be
// unlocked, and stays as it is.
Status give_back_buffer(int fd, int fresh, const Buffer& buffer) {
  const Result<int> locks = option_of(fd, SOL_SOCKET, SO_BUF_LOCK, buffer.name);
  if (!locks.ok() || (locks.value() & buffer.lock) == 0) return Done{};
  DROVER_TRY(const int own, option_of(fresh, SOL_SOCKET, buffer.option, buffer.name));
  const int half = own / 2;  // the kernel doubles what it is told, and tells the double (socket(7))
  DROVER_TRY_DO(set_option(fd, SOL_SOCKET, buffer.option, half, buffer.name));
  return set_option(fd, SOL_SOCKET, SO_BUF_LOCK, locks.value() & ~buffer.lock, buffer.name);
}

Status set_buffer(int fd, int fresh, const Buffer& buffer, int size) {
  if (size == 0) return give_back_buffer(fd, fresh, buffer);
  return set_option(fd, SOL_SOCKET, buffer.option, size, buffer.name);
}

Status apply_tcp_options(int fd, int fresh, const ListenSettings& settings) {
  const KeepaliveSettings& keepalive = settings.keepalive;
  DROVER_TRY_DO(set_option(fd, IPPROTO_TCP, TCP_NODELAY, settings.nodelay ? 1 : 0, "nodelay"));
  DROVER_TRY_DO(
      set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, settings.deferred ? 1 : 0, "deferred"));
  DROVER_TRY_DO(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, keepalive.enabled ? 1 : 0, "keepalive"));
  DROVER_TRY_DO(set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, settings.fastopen, "fastopen"));
  DROVER_TRY_DO(set_keepalive(fd, fresh, TCP_KEEPIDLE, keepalive.idle_s));
  DROVER_TRY_DO(set_keepalive(fd, fresh, TCP_KEEPINTVL, keepalive.interval_s));
  return set_keepalive(fd, fresh, TCP_KEEPCNT, keepalive.count);
}

// The kernel takes it before bind() only, and this socket may have been kept from before a reload.
Status check_v6only(int fd, bool wanted) {
  DROVER_TRY(const int is_set, option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY, "v6only"));
  if ((is_set != 0) == wanted) return Done{};
  return Error(
      "v6only cannot change while the socket is open; restart, or reload without it first");
}

// A unix socket's file is still there after its daemon died; one that nobody answers is in nobody's
// way.
Status remove_stale_socket(const Address& address) {
  struct stat status {};
  if (lstat(address.path().c_str(), &status) != 0) return Done{};
  if (!S_ISSOCK(status.st_mode)) return Error("the file exists and is not a socket");
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(probe.get(), address.get(), address.size()) == 0 || errno != ECONNREFUSED) {
    return Error("another process listens there");
  }
  if (unlink(address.path().c_str()) != 0)
    return Error::from_errno("cannot remove the stale socket");
  return Done{};
}

// Through a descriptor of the file itself: in a folder that others may write, the path could point
// elsewhere by now. A file that is gone or is no socket any more is left alone.
Status change_file(const std::string& path, mode_t mode, uid_t uid, gid_t gid) {
  const UniqueFd file(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!file.is_open() || fstat(file.get(), &status) != 0 || !S_ISSOCK(status.st_mode))
    return Done{};
  const std::string itself = fmt::format("/proc/self/fd/{}", file.get());
  if (chmod(itself.c_str(), mode) != 0) return Error::from_errno("mode");
  if (fchownat(file.get(), "", uid, gid, AT_EMPTY_PATH) != 0) return Error::from_errno("owner");
  return Done{};
}

Status set_ownership(const ListenSettings& settings) {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  if (!settings.owner.empty()) {
    const passwd* account = getpwnam(settings.owner.c_str());
    if (account == nullptr) return Error("owner=" + settings.owner + ": no such user");
    uid = account->pw_uid;
  }
  if (!settings.group.empty()) {
    const struct group* entry = getgrnam(settings.group.c_str());
    if (entry == nullptr) return Error("group=" + settings.group + ": no such group");
    gid = entry->gr_gid;
  }
  return change_file(settings.address.path(), static_cast<mode_t>(settings.mode), uid, gid);
}

Error bind_error(const Address& address) {
  const int code = errno;
  const std::string holder = code == EADDRINUSE ? holder_of(address) : std::string{};
  if (holder.empty()) return Error::from_errno("bind", code);
  return Error(fmt::format("bind: address already in use by {}", holder));
}

Status bind_tcp(int fd, const ListenSettings& settings, bool joins_group) {
  const Address& address = settings.address;
  DROVER_TRY_DO(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
  if (address.family() == AF_INET6) {
    DROVER_TRY_DO(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, settings.v6only ? 1 : 0, "v6only"));
  }
  if (joins_group) DROVER_TRY_DO(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
  if (bind(fd, address.get(), address.size()) != 0) return bind_error(address);
  return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
}

Status bind_unix(int fd, const ListenSettings& settings) {
  DROVER_TRY_DO(remove_stale_socket(settings.address));
  if (bind(fd, settings.address.get(), settings.address.size()) != 0)
    return bind_error(settings.address);
  return Done{};
}

}  // namespace

Result<UniqueFd> bind_socket(const ListenSettings& settings, bool joins_group) {
  if (fault("bind")) return Error::from_errno("bind", EADDRINUSE);
  DROVER_TRY(UniqueFd fd, new_socket(settings.address));
  if (settings.address.is_unix()) {
    DROVER_TRY_DO(bind_unix(fd.get(), settings));
  } else {
    DROVER_TRY_DO(bind_tcp(fd.get(), settings, joins_group));
  }
  DROVER_TRY_DO(apply_listen_options(fd.get(), settings));
  DROVER_TRY_DO(apply_file_options(settings));
  return fd;
}

Status apply_listen_options(int fd, const ListenSettings& settings) {
  DROVER_TRY(const UniqueFd fresh, new_socket(settings.address));
  DROVER_TRY_DO(set_buffer(fd, fresh.get(), kReceiveBuffer, settings.rcvbuf));
  DROVER_TRY_DO(set_buffer(fd, fresh.get(), kSendBuffer, settings.sndbuf));
  if (settings.address.is_unix()) return Done{};
  if (settings.address.family() == AF_INET6) DROVER_TRY_DO(check_v6only(fd, settings.v6only));
  return apply_tcp_options(fd, fresh.get(), settings);
}

Status apply_file_options(const ListenSettings& settings) {
  return settings.address.is_unix() ? set_ownership(settings) : Status(Done{});
}

Status start_listening(int fd, const ListenSettings& settings) {
  if (fault("listen")) return Error::from_errno("listen", EADDRINUSE);
  if (listen(fd, settings.backlog) != 0) {
    const int code = errno;
    const std::string holder = code == EADDRINUSE ? holder_of(settings.address) : std::string{};
    if (holder.empty()) return Error::from_errno("listen", code);
    return Error(fmt::format("listen: address already in use by {}", holder));
  }
  return Done{};
}

}  // namespace drover

#include "master/control_server.h"

#include <event2/buffer.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/address.h"
#include "common/control.h"
#include "common/fault.h"

namespace drover {
namespace {

constexpr std::size_t kMaxSessions = 64;
constexpr timeval kAskTimeout{5, 0};
constexpr Millis kLockPatience{2'000};
constexpr Millis kExhaustedPause{1'000};

// Of two daemons that start at once, both of which find a stale socket, one would remove the
// other's new one. A lock on the folder leaves no file behind; whoever else holds it is not waited
// for long.
UniqueFd lock_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path();
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Millis deadline = monotonic_now() + kLockPatience;
  while (flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
         monotonic_now() < deadline) {
    poll(nullptr, 0, 10);
  }
  return fd;
}

// A live daemon answers the connect; then SO_PEERCRED names the one that listens.
Status make_way(const Address& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), address.get(), address.size()) == 0) {
    return Error(fmt::format("already running, pid {}", peer_of(probe.get()).pid));
  }
  struct stat status {};
  if (lstat(address.path().c_str(), &status) != 0) return Done{};
  if (!S_ISSOCK(status.st_mode)) return Error("the file exists and is not a socket");
  if (unlink(address.path().c_str()) != 0)
    return Error::from_errno("cannot remove the stale socket");
  return Done{};
}

Result<UniqueFd> bind_control(const std::string& path) {
  if (fault("control")) return Error::from_errno("bind", EACCES);
  DROVER_TRY(const Address address, Address::parse("unix:" + path));
  const UniqueFd lock = lock_folder_of(address.path());
  DROVER_TRY_DO(make_way(address));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const mode_t former = umask(0177);
  const int bound = bind(fd.get(), address.get(), address.size());
  umask(former);
  if (bound != 0) return Error::from_errno("bind");
  if (listen(fd.get(), 16) != 0) return Error::from_errno("listen");
  return fd;
}

}  // namespace

struct ControlServer::Session {
  ControlServer* server = nullptr;
  UniqueFd fd;
  bufferevent* stream = nullptr;
  bool is_answered = false;

  ~Session() {
    if (stream != nullptr) bufferevent_free(stream);
  }
};

Result<std::unique_ptr<ControlServer>> ControlServer::listen(event_base* base,
                                                             const std::string& path, Log* log,
                                                             Handler handler) {
  Result<UniqueFd> fd = bind_control(path);
  if (!fd) return std::move(fd).error().in("control socket " + path);
  std::unique_ptr<ControlServer> server(
      new ControlServer(base, std::move(fd).value(), path, log, std::move(handler)));
  server->take_over();
  return server;
}

std::unique_ptr<ControlServer> ControlServer::inherit(event_base* base, UniqueFd fd,
                                                      const std::string& path, Log* log,
                                                      Handler handler) {
  return std::unique_ptr<ControlServer>(
      new ControlServer(base, std::move(fd), path, log, std::move(handler)));
}

ControlServer::ControlServer(event_base* base, UniqueFd fd, std::string path, Log* log,
                             Handler handler)
    : base_(base),
      fd_(std::move(fd)),
      path_(std::move(path)),
      log_(log),
      handler_(std::move(handler)) {}

void ControlServer::take_over() {
  is_ours_ = true;
  readable_.start(base_, fd_.get(), EV_READ, this);
}

void ControlServer::let_go() {
  is_ours_ = false;
  readable_.stop();
  pause_.stop();
  fd_.reset();
}

ControlServer::~ControlServer() {
  for (const auto& session : sessions_) {
    evbuffer* output = bufferevent_get_output(session->stream);
    evbuffer_unfreeze(output, 1);  // a bufferevent keeps the front of its output to itself
    pollfd ready{session->fd.get(), POLLOUT, 0};
    while (evbuffer_get_length(output) > 0 && poll(&ready, 1, 1000) > 0) {
      if (evbuffer_write(output, session->fd.get()) <= 0) break;
    }
  }
  if (is_ours_) unlink(path_.c_str());
}

// Who asks stays in the queue, and would wake the loop again and again.
void ControlServer::rest() {
  log_->warning("control socket: {}; resting for {} ms", strerrordesc_np(errno),
                kExhaustedPause.count());
  readable_.stop();
  pause_.start(base_, kExhaustedPause, this);
}

void ControlServer::on_readable() {
  UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.is_open() && !is_nobody_there(errno)) return rest();
  if (!fd.is_open() || sessions_.size() >= kMaxSessions) return;
  const ucred peer = peer_of(fd.get());
  if (!may_control(peer)) {
    log_->warning("control refused: uid={} pid={}", peer.uid, peer.pid);
    return;
  }
  auto session = std::make_shared<Session>();
  session->server = this;
  session->stream = bufferevent_socket_new(base_, fd.get(), 0);
  session->fd = std::move(fd);
  bufferevent_setcb(
      session->stream,
      [](bufferevent*, void* s) {
        static_cast<Session*>(s)->server->on_line(*static_cast<Session*>(s));
      },
      [](bufferevent*, void* s) {  // all written
        if (static_cast<Session*>(s)->is_answered)
          static_cast<Session*>(s)->server->forget(static_cast<Session*>(s));
      },
      [](bufferevent*, short, void* s) {
        static_cast<Session*>(s)->server->forget(static_cast<Session*>(s));
      },
      session.get());
  bufferevent_set_timeouts(session->stream, &kAskTimeout, nullptr);
  bufferevent_enable(session->stream, EV_READ | EV_WRITE);
  sessions_.push_back(std::move(session));
}

void ControlServer::on_line(Session& session) {
  evbuffer* input = bufferevent_get_input(session.stream);
  const std::unique_ptr<char, void (*)(void*)> line(
      evbuffer_readln(input, nullptr, EVBUFFER_EOL_LF), std::free);
  if (line == nullptr) {
    if (evbuffer_get_length(input) > kMaxControlLine) forget(&session);
    return;
  }
  bufferevent_set_timeouts(session.stream, nullptr, nullptr);
  bufferevent_setcb(
      session.stream, nullptr, nullptr,
      [](bufferevent*, short, void* s) {
        static_cast<Session*>(s)->server->forget(static_cast<Session*>(s));
      },
      &session);
  for (const auto& owner : sessions_) {
    if (owner.get() != &session) continue;
    const std::weak_ptr<Session> asker = owner;
    handler_(line.get(),
             [this, asker](int status, const std::string& text) { finish(asker, status, text); });
    return;
  }
}

void ControlServer::finish(const std::weak_ptr<Session>& asker, int status,
                           const std::string& text) {
  const std::shared_ptr<Session> session = asker.lock();
  if (session == nullptr) return;  // it did not wait
  session->is_answered = true;
  const std::string answer = fmt::format("{}\n{}", status, text);
  bufferevent_setcb(
      session->stream, nullptr,
      [](bufferevent*, void* s) {
        static_cast<Session*>(s)->server->forget(static_cast<Session*>(s));
      },
      [](bufferevent*, short, void* s) {
        static_cast<Session*>(s)->server->forget(static_cast<Session*>(s));
      },
      session.get());
  bufferevent_write(session->stream, answer.data(), answer.size());
}

void ControlServer::forget(Session* session) {
  sessions_.remove_if([session](const auto& each) { return each.get() == session; });
}

}  // namespace drover

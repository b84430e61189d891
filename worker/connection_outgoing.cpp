// Outgoing connections until they are established, or are not.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "worker/connection_hooks.h"
#include "worker/socket_transport.h"

namespace drover {
namespace {

UniqueFd make_socket(const Address& address) {
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  if (fd.is_open() && !address.is_unix()) {
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // cannot fail on TCP
  }
  return fd;
}

PeerAddress peer_of(const Address& address) {
  PeerAddress peer;
  if (!address.is_unix()) return PeerAddress::from(address.get());
  peer.family = AF_UNIX;
  return peer;
}

}  // namespace

drover_conn Connection::connect(Server& server, const Address& address, Millis timeout,
                                std::uint64_t tag) {
  ConnectionCore& core = server.core;
  UniqueFd fd = make_socket(address);
  if (!core.has_room_for_socket() || !fd.is_open()) return 0;
  const int result = ::connect(fd.get(), address.get(), address.size());
  const int error = result == 0 ? 0 : errno;
  Connection* connection = make<SocketTransport>(server, peer_of(address), std::move(fd));
  connection->state_ = State::kConnecting;
  connection->is_outgoing_ = true;
  core.tags().emplace(connection->handle(), tag);
  connection->is_touched_ = false;  // this deadline stays
  core.table().set_deadline(connection->index_, core.now() + timeout);
  ConnectionCore::count(core.counters().outgoing);
  if (error != 0 && error != EINPROGRESS) connection->fail_to_connect(error);
  connection->settle_soon();
  return connection->handle();
}

void Connection::on_connected_or_not() {
  const int error = transport().connect_error();
  error == 0 ? open() : fail_to_connect(error);
  settle();
}

void Connection::fail_to_connect(int error_number) {
  connect_error_ = static_cast<std::uint8_t>(error_number);
  break_with(DROVER_RESET);
  settle_soon();
}

std::uint64_t Connection::tag() const { return is_outgoing_ ? core().tags().at(handle()) : 0; }

void Connection::tell_not_connected(std::uint64_t tag) {
  const int error = connect_error_ == 0 ? ECANCELED : connect_error_;  // 0: the instance ends
  if (server_->module.on_connect_failed == nullptr) return;
  const HookRun run(*server_);
  server_->module.on_connect_failed(server_->instance, tag, error);
}

}  // namespace drover

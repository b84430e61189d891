#include "master/socket_queues.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/result.h"
#include "common/unique_fd.h"

namespace drover {
namespace {

constexpr std::uint32_t kListening = 1U << TCP_LISTEN;
constexpr std::uint32_t kHalfOpen = 1U << TCP_SYN_RECV;

// sock_diag(7)
template <class Body>
struct Request {
  nlmsghdr header{};
  Body body{};
};

Request<inet_diag_req_v2> tcp_request(int family) {
  Request<inet_diag_req_v2> request;
  request.body.sdiag_family = static_cast<std::uint8_t>(family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.idiag_states = kListening | kHalfOpen;
  return request;
}

Request<unix_diag_req> unix_request() {
  Request<unix_diag_req> request;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = kListening;
  request.body.udiag_show = UDIAG_SHOW_RQLEN;
  return request;
}

enum class Progress { kMore, kDone };

// Calls visit(header) for each message of a part of the answer.
template <class Visit>
Result<Progress> visit_part(const char* part, std::size_t size, Visit visit) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(part);
  for (; NLMSG_OK(header, size); header = NLMSG_NEXT(header, size)) {
    if (header->nlmsg_type == NLMSG_DONE) return Progress::kDone;
    if (header->nlmsg_type == NLMSG_ERROR) return Error("the kernel refused the question");
    visit(*header);
  }
  return Progress::kMore;
}

// The kernel answers within send() and recv(): there is nothing to wait for.
template <class Body, class Visit>
Status ask(Request<Body> request, Visit visit) {
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  const UniqueFd fd(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.is_open()) return Error::from_errno("netlink");
  if (send(fd.get(), &request, sizeof request, 0) < 0) return Error::from_errno("netlink");
  alignas(nlmsghdr) std::array<char, 32 * 1024> part;
  while (true) {
    const ssize_t size = recv(fd.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (size <= 0) return Error::from_errno("netlink");
    DROVER_TRY(const Progress progress,
               visit_part(part.data(), static_cast<std::size_t>(size), visit));
    if (progress == Progress::kDone) return Done{};
  }
}

// The body of a message, by value; nothing when it is too short.
template <class Body>
std::optional<Body> body_of(const nlmsghdr& message) {
  if (message.nlmsg_len < NLMSG_LENGTH(sizeof(Body))) return std::nullopt;
  Body body;
  std::memcpy(&body, NLMSG_DATA(&message), sizeof body);
  return body;
}

PeerAddress local_address(const inet_diag_msg& socket) {
  if (socket.idiag_family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = socket.id.idiag_sport;
    std::memcpy(&address.sin6_addr, socket.id.idiag_src, sizeof address.sin6_addr);
    return PeerAddress::from(reinterpret_cast<const sockaddr*>(&address));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = socket.id.idiag_sport;
  std::memcpy(&address.sin_addr, socket.id.idiag_src, sizeof address.sin_addr);
  return PeerAddress::from(reinterpret_cast<const sockaddr*>(&address));
}

std::optional<AcceptQueueLength> queue_in(const nlmsghdr& message) {
  const auto* attribute = reinterpret_cast<const rtattr*>(
      static_cast<const char*>(NLMSG_DATA(&message)) + NLMSG_ALIGN(sizeof(unix_diag_msg)));
  auto left = static_cast<int>(message.nlmsg_len) -
              static_cast<int>(NLMSG_LENGTH(NLMSG_ALIGN(sizeof(unix_diag_msg))));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != UNIX_DIAG_RQLEN) continue;
    unix_diag_rqlen lengths{};
    if (RTA_PAYLOAD(attribute) < sizeof lengths) return std::nullopt;
    std::memcpy(&lengths, RTA_DATA(attribute), sizeof lengths);
    return AcceptQueueLength{lengths.udiag_rqueue, lengths.udiag_wqueue};
  }
  return std::nullopt;
}

// Bound to every address of the handshake's family; [::] may take v4 as well.
bool is_wildcard_for(const PeerAddress& listener, const PeerAddress& local) {
  static const PeerAddress kAnyV4 = PeerAddress::from(Address::parse("*:1").value().get());
  if (listener.family == AF_INET) return local.family == AF_INET && listener.ip == kAnyV4.ip;
  return listener.ip == PeerAddress{}.ip;
}

}  // namespace

SocketQueues SocketQueues::read() {
  SocketQueues queues;
  const auto on_tcp = [&queues](const nlmsghdr& message) {
    const auto socket = body_of<inet_diag_msg>(message);
    if (!socket) return;
    if (socket->idiag_state == TCP_LISTEN) {
      queues.by_inode_[socket->idiag_inode] = {socket->idiag_rqueue, socket->idiag_wqueue};
    } else {
      queues.half_open_.push_back(local_address(*socket));
    }
  };
  const bool has_v4 = ask(tcp_request(AF_INET), on_tcp).ok();
  const bool has_v6 = ask(tcp_request(AF_INET6), on_tcp).ok();
  queues.has_tcp_ = has_v4 && has_v6;
  // Without an answer no unix socket is known, which is all that there is to say of it.
  static_cast<void>(ask(unix_request(), [&queues](const nlmsghdr& message) {
    const auto socket = body_of<unix_diag_msg>(message);
    const auto queue = socket ? queue_in(message) : std::nullopt;
    if (queue) queues.by_inode_[socket->udiag_ino] = *queue;
  }));
  return queues;
}

std::optional<AcceptQueueLength> SocketQueues::of(int fd) const {
  struct stat status {};
  if (fstat(fd, &status) != 0) return std::nullopt;
  const auto queue = by_inode_.find(status.st_ino);
  return queue == by_inode_.end() ? std::nullopt : std::optional(queue->second);
}

std::vector<std::optional<std::uint32_t>> SocketQueues::half_open(
    const std::vector<Address>& listening) const {
  std::vector<std::optional<std::uint32_t>> counts;
  for (const Address& address : listening) {
    const bool is_known = has_tcp_ && !address.is_unix();
    counts.push_back(is_known ? std::optional<std::uint32_t>(0) : std::nullopt);
  }
  for (const PeerAddress& local : half_open_) {
    const auto found = listener_of(local, listening);
    if (found && counts[*found]) ++*counts[*found];
  }
  return counts;
}

std::optional<std::size_t> listener_of(const PeerAddress& local,
                                       const std::vector<Address>& listening) {
  std::optional<std::size_t> best;
  bool best_is_v4 = false;
  for (std::size_t i = 0; i < listening.size(); ++i) {
    const PeerAddress listener = PeerAddress::from(listening[i].get());
    if (listening[i].is_unix() || listener.port != local.port) continue;
    if (listener.ip == local.ip) return i;
    if (!is_wildcard_for(listener, local) || best_is_v4) continue;
    best = i;  // 0.0.0.0 before [::]
    best_is_v4 = listener.family == AF_INET;
  }
  return best;
}

}  // namespace drover

#include "common/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/check.h"
#include "common/fault.h"
#include "common/scm_rights.h"

namespace drover {
namespace {

struct PacketHeader {
  std::uint16_t type;
  std::uint16_t reserved;
  std::uint32_t body_size;
};

constexpr std::size_t kMaxPacket = sizeof(PacketHeader) + kMaxMessageBody;
constexpr std::size_t kMaxWaiting = 1024;
constexpr int kMessagesPerTurn = 64;      // a peer that talks without end must not keep the loop
constexpr int kMessagesOfTheDead = 4096;  // more than a pair holds: its own children may write on

using ControlRoom = DescriptorRoom<kMaxMessageFds>;

// 0: sent, else errno.
int send_packet(int socket, std::string_view packet, std::span<const int> fds) {
  iovec data{const_cast<char*>(packet.data()), packet.size()};
  ControlRoom room;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  attach_descriptors(header, room.bytes, fds);
  while (sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

bool is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

std::vector<int> raw(const std::vector<UniqueFd>& fds) {
  std::vector<int> numbers;
  numbers.reserve(fds.size());
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return numbers;
}

}  // namespace

std::string encode_message(MessageType type, std::string_view body) {
  const std::string_view bounded = body.substr(0, kMaxMessageBody);
  const PacketHeader header{static_cast<std::uint16_t>(type), 0,
                            static_cast<std::uint32_t>(bounded.size())};
  std::string packet(reinterpret_cast<const char*>(&header), sizeof header);
  return packet.append(bounded);
}

Result<Message> decode_message(std::string_view packet) {
  PacketHeader header{};
  if (packet.size() < sizeof header) return Error("packet is shorter than its header");
  std::memcpy(&header, packet.data(), sizeof header);
  packet.remove_prefix(sizeof header);
  if (header.body_size != packet.size())
    return Error("packet's length is not what its header says");
  return Message{static_cast<MessageType>(header.type), std::string(packet), {}};
}

Result<std::optional<Message>> receive_message(int fd) {
  char packet[kMaxPacket];
  iovec data{packet, sizeof packet};
  ControlRoom room;
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  make_room_for_descriptors(header, room.bytes);
  ssize_t size = 0;
  // ECONNRESET tells once that the peer left without reading all that it was sent. What it said
  // before is still there, then the end.
  do {
    size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (size < 0 && (errno == EINTR || errno == ECONNRESET));
  if (size < 0 && is_full(errno)) return std::optional<Message>{};
  if (size < 0) return Error::from_errno("recvmsg");
  if (size == 0) return Error("the other end is gone");
  std::vector<UniqueFd> fds = take_descriptors(header);
  DROVER_TRY(Message message, decode_message({packet, static_cast<std::size_t>(size)}));
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Error("the message was cut off");
  message.fds = std::move(fds);
  return std::optional<Message>(std::move(message));
}

Result<SocketPair> make_seqpacket_pair() {
  if (fault("socketpair")) return Error::from_errno("socketpair", EMFILE);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return Error::from_errno("socketpair");
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Channel::Channel(event_base* base, UniqueFd fd, Listener* listener)
    : base_(base), fd_(std::move(fd)), listener_(listener) {
  watch();
}

Channel::~Channel() { *is_alive_ = false; }

void Channel::send(MessageType type, std::string_view body, std::span<const int> fds) {
  if (!fd_.is_open()) return;
  DROVER_CHECK(body.size() <= kMaxMessageBody && fds.size() <= kMaxMessageFds);
  std::string packet = encode_message(type, body);
  if (waiting_.empty()) {
    const int error = send_packet(fd_.get(), packet, fds);
    if (error == 0 || !is_full(error)) return;  // a broken pair is told by the read side
  }
  Outgoing outgoing{std::move(packet), {}};
  for (const int fd : fds) outgoing.fds.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (waiting_.size() < kMaxWaiting) waiting_.push_back(std::move(outgoing));
  watch();
}

void Channel::flush() {
  while (fd_.is_open() && !waiting_.empty()) {
    pollfd ready{fd_.get(), POLLOUT, 0};
    if (poll(&ready, 1, 1000) <= 0) return;
    send_waiting();
  }
}

void Channel::on_event(short what) {
  if ((what & EV_WRITE) != 0) send_waiting();
  if ((what & EV_READ) != 0) receive(kMessagesPerTurn);
}

void Channel::read_pending() {
  if (fd_.is_open()) receive(kMessagesOfTheDead);
}

void Channel::receive(int most) {
  listener_->before_receive();
  for (int i = 0; i < most; ++i) {
    if (!receive_one()) return;
  }
}

// False when there is nothing more to read or the channel has gone.
bool Channel::receive_one() {
  Result<std::optional<Message>> message = receive_message(fd_.get());
  if (!message) return fail(), false;
  if (!*message) return false;
  const std::shared_ptr<bool> is_alive = is_alive_;
  listener_->on_message(std::move(**message));
  return *is_alive && fd_.is_open();
}

void Channel::send_waiting() {
  while (!waiting_.empty()) {
    const int error = send_packet(fd_.get(), waiting_.front().packet, raw(waiting_.front().fds));
    if (is_full(error)) return;
    waiting_.pop_front();
  }
  watch();
}

void Channel::watch() {
  const bool wants_write = !waiting_.empty();
  if (event_.is_pending(EV_READ) && event_.is_pending(EV_WRITE) == wants_write) return;
  event_.start(base_, fd_.get(), wants_write ? EV_READ | EV_WRITE : EV_READ, this);
}

void Channel::fail() {
  event_.stop();
  fd_.reset();
  waiting_.clear();
  listener_->on_channel_closed();
}

}  // namespace drover

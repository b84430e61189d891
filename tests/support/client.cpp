#include "tests/support/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "tests/support/failure.h"

namespace drover::test {
namespace {

// 0 when connected, else the errno of the failure (ETIMEDOUT at the deadline).
int connect_by(int fd, const Endpoint& to, Clock::time_point end) {
  if (::connect(fd, to.get(), to.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd wait{fd, POLLOUT, 0};
  if (::poll(&wait, 1, millis_left(end)) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

std::optional<Client> Client::try_connect(const Endpoint& to, int* why, const std::string& source,
                                          Millis patience) {
  UniqueFd fd = make_socket(to.family(), source);
  const int error = connect_by(fd.get(), to, Clock::now() + patience);
  if (why != nullptr) *why = error;
  if (error != 0) return std::nullopt;
  return Client(std::move(fd), patience);
}

Client::Client(const Endpoint& to, const std::string& source, Millis patience)
    : fd_(make_socket(to.family(), source)), patience_(patience) {
  const int error = connect_by(fd_.get(), to, Clock::now() + patience);
  if (error != 0) fail_errno("connect to " + to.to_string(), error);
}

bool Client::wait_for(short events, Clock::time_point end) const {
  pollfd wait{fd_.get(), events, 0};
  return ::poll(&wait, 1, millis_left(end)) > 0;
}

size_t Client::send_some(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno != EAGAIN && errno != EINTR) fail_errno("send");
  return 0;
}

void Client::send_all(std::string_view bytes) {
  const auto end = Clock::now() + patience_;
  while (!bytes.empty()) {
    if (!wait_for(POLLOUT, end))
      fail("send: the peer does not read, left " + std::to_string(bytes.size()));
    bytes.remove_prefix(send_some(bytes));
  }
}

std::string Client::receive_some(size_t size) {
  std::string bytes(size, '\0');
  if (!wait_for(POLLIN, Clock::now() + patience_)) fail("receive: nothing came in time");
  const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) fail_errno("receive");
  bytes.resize(static_cast<size_t>(got));
  return bytes;
}

std::string Client::receive(size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const std::string more = receive_some(size - bytes.size());
    if (more.empty())
      fail("receive: the end after " + std::to_string(bytes.size()) + " of " +
           std::to_string(size));
    bytes += more;
  }
  return bytes;
}

std::string Client::receive_all() {
  std::string bytes;
  for (std::string more; !(more = receive_some()).empty();) bytes += more;
  return bytes;
}

std::string Client::exchange(std::string_view bytes) {
  send_all(bytes);
  return receive(bytes.size());
}

void Client::half_close() {
  if (::shutdown(fd_.get(), SHUT_WR) != 0) fail_errno("shutdown");
}

void Client::reset() {
  reset_on_close(fd_.get());
  fd_.reset();
}

Client::Next Client::next(Millis patience) {
  if (!wait_for(POLLIN, Clock::now() + patience)) return Next::kSilence;
  char byte = 0;
  const ssize_t got = ::recv(fd_.get(), &byte, 1, MSG_PEEK);
  if (got < 0) return Next::kError;
  return got == 0 ? Next::kEnd : Next::kBytes;
}

}  // namespace drover::test

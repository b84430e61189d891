#include "tests/support/load_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace drover::test {
namespace {

// In five writes of ten a piece of the message goes alone, so that the server sees it cut anywhere.
constexpr unsigned kSplitsOfTen = 5;

}  // namespace

LoadConnection::LoadConnection(Endpoint to, const std::string& source, LoadPlan plan)
    : to_(to),
      plan_(plan),
      fd_(make_socket(to.family(), source)),
      payload_(plan.seed),
      random_(static_cast<std::minstd_rand::result_type>(plan.seed)),
      messages_left_(plan.messages),
      started_at_(Clock::now()),
      message_at_(started_at_),
      progress_at_(started_at_) {}

bool LoadConnection::start() {
  if (::connect(fd_.get(), to_.get(), to_.size) == 0) {
    on_connected();
  } else if (errno == EAGAIN) {
    return false;
  } else if (errno != EINPROGRESS) {
    on_errno(errno);
  }
  started_ = true;
  return true;
}

void LoadConnection::advance() {
  if (step_ == Step::kConnecting && started_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return on_errno(error);
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    if (::getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return;
    on_connected();
  }
  if (step_ == Step::kTalking) send_more();
  if (step_ != Step::kDone && step_ != Step::kConnecting) receive_more();
}

void LoadConnection::tick(Clock::time_point now, Millis timeout) {
  if (is_done()) return;
  if (step_ == Step::kPausing) {
    if (finishing_ || now >= resume_at_) {
      finishing_ ? begin_end() : begin_message();
      advance();
    }
    return;
  }
  if (step_ == Step::kTalking) advance();  // the rest of a message that was cut
  if (!is_done() && now - progress_at_ > timeout) fail_with(LoadError::kTimeout);
}

void LoadConnection::on_connected() {
  ++stats_.connected;
  name_ = local_name(fd_.get());
  begin_message();
}

void LoadConnection::begin_message() {
  step_ = Step::kTalking;
  stream_offset_ += message_size_;
  message_size_ = 1 + random_() % (random_() % 4 == 0 ? plan_.max_message
                                                      : std::min<size_t>(plan_.max_message, 512));
  message_sent_ = 0;
  message_received_ = 0;
  message_at_ = progress_at_ = Clock::now();
}

void LoadConnection::send_more() {
  while (step_ == Step::kTalking && message_sent_ < message_size_) {
    const size_t left = message_size_ - message_sent_;
    const bool cut = random_() % 10 < kSplitsOfTen;
    const size_t piece = cut ? 1 + random_() % left : left;
    const std::string bytes = payload_.bytes(stream_offset_ + message_sent_, piece);
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN ? static_cast<void>(0) : on_errno(errno);
    message_sent_ += static_cast<size_t>(sent);
    progress_at_ = Clock::now();
    if (cut && message_sent_ < message_size_)
      return;  // tick() or the echo of this piece sends the next one
  }
  const bool is_last = messages_left_ == 1 && !plan_.pinging;
  if (is_last && plan_.end == LoadPlan::End::kHalfClose && !half_closed_) {
    half_closed_ = true;  // before the answer: the server must still send all of it
    ::shutdown(fd_.get(), SHUT_WR);
  }
}

void LoadConnection::receive_more() {
  std::array<char, 65536> buffer;
  while (!is_done()) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return errno == EAGAIN ? static_cast<void>(0) : on_errno(errno);
    if (got == 0) return on_end_of_stream();
    progress_at_ = Clock::now();
    take({buffer.data(), static_cast<size_t>(got)});
    if (step_ == Step::kTalking) send_more();
  }
}

void LoadConnection::take(std::string_view bytes) {
  const bool expected =
      step_ == Step::kTalking && message_received_ + bytes.size() <= message_sent_;
  if (!expected || payload_.matching(stream_offset_ + message_received_, bytes) != bytes.size()) {
    return fail_with(LoadError::kWrongBytes);
  }
  if (!std::exchange(answered_, true)) stats_.max_first_byte = since(started_at_);
  message_received_ += bytes.size();
  stats_.bytes += static_cast<std::int64_t>(bytes.size());
  if (message_received_ == message_size_) end_message();
}

void LoadConnection::end_message() {
  ++stats_.messages;
  stats_.max_answer = std::max(stats_.max_answer, since(message_at_));
  if (plan_.pinging && ++pings_ == plan_.pings) return begin_end();
  if (plan_.pinging) {
    step_ = Step::kPausing;
    resume_at_ = Clock::now() + plan_.pause;
    return;
  }
  --messages_left_ == 0 ? begin_end() : begin_message();
}

void LoadConnection::begin_end() {
  if (plan_.end == LoadPlan::End::kHalfClose || plan_.pinging) {
    if (!half_closed_) ::shutdown(fd_.get(), SHUT_WR);
    half_closed_ = true;
    step_ = Step::kAwaitingEnd;
    progress_at_ = Clock::now();
    return;
  }
  if (plan_.end == LoadPlan::End::kReset) reset_on_close(fd_.get());
  ++stats_.completed;
  done();
}

void LoadConnection::on_end_of_stream() {
  if (step_ != Step::kAwaitingEnd) return fail_with(LoadError::kShortEof);
  ++stats_.completed;
  done();
}

void LoadConnection::on_errno(int error) {
  if (error == EINTR) return;
  const bool refused = error == ECONNREFUSED || error == ENOENT;
  const bool timed_out = error == ETIMEDOUT;
  fail_with(refused ? LoadError::kRefused : timed_out ? LoadError::kTimeout : LoadError::kReset);
}

void LoadConnection::fail_with(LoadError error) {
  failure_ = LoadFailure{
      error, name_, to_.to_string(), plan_.pinging, answered_, since(started_at_), Clock::now()};
  if (!answered_) stats_.max_first_byte = since(started_at_);
  done();
}

void LoadConnection::watch(int epoll_fd) {
  if (is_done()) return;
  epoll_fd_ = epoll_fd;
  epoll_event event{EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.ptr = this}};
  ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd_.get(), &event);
}

void LoadConnection::done() {
  step_ = Step::kDone;
  if (epoll_fd_ >= 0) ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd_.get(), nullptr);
  fd_.reset();
}

LoadStats LoadConnection::take_stats() { return std::exchange(stats_, LoadStats{}); }

}  // namespace drover::test

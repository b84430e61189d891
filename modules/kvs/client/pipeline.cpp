#include "modules/kvs/client/pipeline.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/units.h"
#include "modules/kvs/kv1/meta.h"

namespace kvs::client {
namespace {

using drover::Done;
using drover::Error;
using drover::Result;
using drover::Status;

constexpr std::size_t kMostUnsent = 256 << 10;
constexpr std::size_t kReadBytes = 64 << 10;

int millis_left(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
}

bool is_try_again(int code) { return code == EAGAIN || code == EINTR; }

bool may_be_partial(kv1::Request type) { return type == kv1::kMultiGet || type == kv1::kScan; }

Status check_lengths(std::string_view key, std::string_view value) {
  if (key.size() > kv1::kLongestKey)
    return Error(
        fmt::format("a key of {} bytes; the longest has {}", key.size(), kv1::kLongestKey));
  if (value.size() > kv1::kLongestValue + kv1::kMetaBytes) {
    return Error(
        fmt::format("a value of {} bytes; the longest has {}", value.size(), kv1::kLongestValue));
  }
  return Done{};
}

}  // namespace

Pipeline::Pipeline(drover::UniqueFd socket, Options options)
    : socket_(std::move(socket)),
      options_(options),
      reader_(kv1::FrameReader::Side::kAnswers,
              {kv1::kLongestKey, kv1::kLongestValue + kv1::kMetaBytes}),
      buffer_(kReadBytes, '\0') {}

Result<std::uint32_t> Pipeline::send(kv1::Request type, std::string_view key,
                                     std::string_view value) {
  return send(type, key, value, deadline());
}

Result<std::uint32_t> Pipeline::send(kv1::Request type, std::string_view key,
                                     std::string_view value, Clock::time_point end) {
  if (end_) return *end_;
  DROVER_TRY_DO(check_lengths(key, value));
  DROVER_TRY_DO(wait_until([this] { return output_.size() - sent_ < kMostUnsent; }, end));
  const std::uint32_t rid = next_rid();
  kv1::append_frame(output_, {type, rid, key, value});
  in_flight_.emplace(rid, type);
  return rid;
}

Status Pipeline::flush() {
  if (end_) return *end_;
  return wait_until([this] { return !has_output(); }, deadline());
}

Result<Answer> Pipeline::receive() {
  DROVER_TRY_DO(wait_until([this] { return !answers_.empty(); }, deadline()));
  return *take();
}

Result<Answer> Pipeline::receive(std::uint32_t rid) { return receive(rid, deadline()); }

Result<Answer> Pipeline::receive(std::uint32_t rid, Clock::time_point end) {
  std::optional<Answer> answer;
  DROVER_TRY_DO(wait_until([&] { return (answer = take(rid)).has_value(); }, end));
  return std::move(*answer);
}

// What has come counts, also when nothing more can come.
template <class Wanted>
Status Pipeline::wait_until(Wanted wanted, Clock::time_point end) {
  while (!wanted()) {
    if (end_) return *end_;
    send_some();
    if (wanted()) break;
    DROVER_TRY_DO(wait(end));
  }
  return Done{};
}

// Until the socket can do something, and reads. The deadline is looked at whatever came: a server
// could send for ever.
Status Pipeline::wait(Clock::time_point end) {
  const short events = has_output() ? POLLIN | POLLOUT : POLLIN;
  std::array<pollfd, 2> both{
      {{socket_.get(), events, 0}, {options_.cancel_fd, POLLIN, 0}}};  // poll() passes over -1
  const int ready = ::poll(both.data(), both.size(), millis_left(end));
  if (ready < 0 && errno != EINTR) return give_up(Error::from_errno("poll").message());
  if (both[1].revents != 0) return Error("interrupted");
  if (Clock::now() >= end) {
    return give_up(fmt::format("no answer within {}, with {} requests on their way",
                               drover::format_duration(options_.timeout), in_flight()));
  }
  const bool has_input = (both[0].revents & ~POLLOUT) != 0;
  if (has_input) read_some();
  return Done{};
}

Status Pipeline::advance() {
  if (end_) return *end_;
  send_some();
  read_some();
  if (end_) return *end_;
  return Done{};
}

void Pipeline::send_some() {
  if (!has_output()) return;
  const ssize_t count =
      ::send(socket_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
  if (count < 0 && is_try_again(errno)) return;
  // A server that closes may have said why: what is still to be read ends the connection, not this.
  sent_ = count < 0 ? output_.size() : sent_ + static_cast<std::size_t>(count);
  if (has_output() && sent_ < kMostUnsent) return;
  output_.erase(0, sent_);
  sent_ = 0;
}

// Once, so that a server that sends and sends does not keep a caller beyond its deadline.
void Pipeline::read_some() {
  const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
  if (count < 0 && is_try_again(errno)) return;
  if (count < 0) return static_cast<void>(give_up(Error::from_errno("connection lost").message()));
  if (count == 0) return on_end();
  std::string_view bytes(buffer_.data(), static_cast<std::size_t>(count));
  while (!end_) {
    const auto received = reader_.next(bytes);
    if (!received) return;
    keep(*received);
  }
}

void Pipeline::keep(const kv1::ReceivedFrame& received) {
  const kv1::Frame& frame = received.frame;
  const auto status = static_cast<kv1::Status>(frame.type);
  if (received.fault != kv1::FrameFault::kNone) return on_fault(received.fault);
  // What is said to nobody is said of the connection.
  if (frame.rid == 0)
    return static_cast<void>(give_up("the server said " + describe(status, frame.value)));
  const auto request = in_flight_.find(frame.rid);
  const bool is_awaited = request != in_flight_.end() && status != kv1::kEvent &&
                          (status != kv1::kPartial || may_be_partial(request->second));
  if (!is_awaited) {
    return static_cast<void>(
        give_up(fmt::format("the server sent {} for RID {}, which does not wait for it",
                            status_name(status), frame.rid)));
  }
  answers_.push_back({status, frame.rid, std::string(frame.key), std::string(frame.value)});
  if (answers_.back().is_last()) in_flight_.erase(request);
}

void Pipeline::on_fault(kv1::FrameFault fault) {
  give_up(fault == kv1::FrameFault::kBadType ? "the server sent what is not KV1"
                                             : "the server sent more than an answer may have");
}

void Pipeline::on_end() {
  give_up(fmt::format("the server closed the connection{}{}",
                      reader_.is_inside_frame() ? " in the middle of an answer" : "",
                      in_flight_.empty()
                          ? std::string()
                          : fmt::format(", with {} requests unanswered", in_flight_.size())));
}

Error Pipeline::give_up(std::string why) {
  if (!end_) end_.emplace(std::move(why));
  return *end_;
}

std::optional<Answer> Pipeline::take() {
  if (answers_.empty()) return std::nullopt;
  std::optional<Answer> first(std::move(answers_.front()));
  answers_.pop_front();
  return first;
}

std::optional<Answer> Pipeline::take(std::uint32_t rid) {
  const auto found = std::ranges::find(answers_, rid, &Answer::rid);
  if (found == answers_.end()) return std::nullopt;
  std::optional<Answer> answer(std::move(*found));
  answers_.erase(found);
  return answer;
}

// After four thousand million requests one may still wait.
std::uint32_t Pipeline::next_rid() {
  do ++last_rid_;
  while (last_rid_ == 0 || in_flight_.contains(last_rid_));
  return last_rid_;
}

}  // namespace kvs::client

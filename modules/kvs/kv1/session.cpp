#include "modules/kvs/kv1/session.h"

#include <algorithm>
#include <utility>

#include "modules/kvs/kv1/look_ahead.h"
#include "modules/kvs/kv1/requests.h"

namespace kvs::kv1 {
namespace {

constexpr Refusal kNotAFrame{kBadFrame, "these bytes are no request"};
constexpr Refusal kTooLate{kBadFrame, "the frame has taken too long"};
constexpr Refusal kStranger{kDenied, "AUTH comes first"};
constexpr Refusal kUnknown{kUnknownType, "there is no such request"};
constexpr Refusal kLongKey{kKeyLength, "the key is longer than kvs.max_key"};
constexpr Refusal kLongValue{kValueTooLarge, "the value is larger than kvs.max_value"};
constexpr Refusal kNoMemory{kBusy, "others make the worker keep too much; try again"};
constexpr Refusal kGoing{kShuttingDown, "this server is going; connect again"};

// A value of that size is work for whatever request.
constexpr std::size_t kLargeWork = std::size_t{64} << 10;

std::size_t counted_frame(std::size_t size) { return size <= kSmallFrame ? 0 : size; }

bool is_last(FrameFault fault) {
  return fault == FrameFault::kBadType || fault == FrameFault::kHopelessValue;
}

// Strangers learn nothing from what is said of their frames.
bool is_open_to_strangers(const ReceivedFrame& received, const Row* row) {
  return row != nullptr && is_for_strangers(*row) && received.fault == FrameFault::kNone;
}

}  // namespace

Session::Session(Service& service)
    : service_(service),
      reader_(FrameReader::Side::kRequests, service.limits.frame),
      frame_charge_(service.budget),
      backlog_charge_(service.budget),
      output_charge_(service.budget),
      is_known_(service.token.empty()) {}

Session::~Session() = default;

void Session::receive(std::string_view bytes, Output& output) {
  if (is_over_) return;
  if (wait_ == Wait::kNothing && backlog_.empty()) {
    work(bytes, output);
  } else {
    backlog_ += bytes;  // nobody told the loop in time: it was to stop reading
  }
  has_begun_ = true;
  begin_drain();
  settle(output);
}

void Session::resume(Output& output) {
  if (is_over_ || wait_ == Wait::kNothing) return;
  wait_ = Wait::kNothing;
  // The views of a frame that is served now are into it: it stays where it is.
  std::string_view bytes = std::string_view(backlog_).substr(backlog_taken_);
  serve(bytes, output);
  if (call_) call_->frame = reader_.keep();
  backlog_taken_ = backlog_.size() - bytes.size();
  if (bytes.empty()) {
    std::string().swap(backlog_);  // `backlog_ = {}` would keep the memory
    backlog_taken_ = 0;
  }
  settle(output);
}

void Session::end(Output& output) {
  has_ended_ = true;
  settle(output);
}

void Session::drain(Output& output) {
  must_drain_ = true;
  begin_drain();
  settle(output);
}

// Who has just come has a first request under way.
void Session::begin_drain() {
  if (!must_drain_ || !has_begun_ || drains_) return;
  drains_ = true;
  before_drain_ = backlog_size();
}

void Session::prolong() {
  frame_deadline_.reset();
  linger_until_.reset();
  set_frame_deadline();
  linger();
}

void Session::time_out(Output& output) {
  if (is_over_ || !deadline()) return;
  is_over_ = true;
  if (!frame_deadline_) return;
  service_.count(Count::kLateFrames);
  refuse(client(output), {}, kTooLate);
}

void Session::set_pending(std::size_t pending) { output_charge_.set(counted_output(pending)); }

bool Session::may_go_on() const {
  if (wait_ != Wait::kOutput || output_charge_.bytes() > kWatchedOutput) return false;
  return !has_counted_output() || service_.budget.has_room(kFreeOutput);
}

// Bytes that will be gone when this returns.
void Session::work(std::string_view bytes, Output& output) {
  serve(bytes, output);
  if (call_) call_->frame = reader_.keep();
  if (!is_over_) backlog_ = bytes;
}

void Session::serve(std::string_view& bytes, Output& output) {
  Client client = this->client(output);
  LookAhead ahead;
  for (std::size_t taken = 0; !is_over_ && wait_ == Wait::kNothing;) {
    if (call_) {
      if (!advance(client, *call_)) return;
      call_.reset();
    }
    if (!bytes.empty() && !may_take_on(client, taken)) return;
    if (ahead.is_over() && is_known_ && !reader_.is_inside_frame())
      ahead.look(service_.store, bytes);
    const auto received = next_frame(bytes);
    if (!received) return;
    ++taken;
    begin(client, *received, ahead.take());
  }
}

bool Session::may_take_on(Client& client, std::size_t taken) {
  if (client.is_full()) {
    wait_ = Wait::kOutput;
  } else if (taken == service_.limits.inflight) {
    wait_ = Wait::kNextTurn;
  }
  return wait_ == Wait::kNothing;
}

std::optional<ReceivedFrame> Session::next_frame(std::string_view& bytes) {
  if (!reader_.is_inside_frame()) is_late_ = drains_ && before_drain_ == 0;
  const std::size_t before = bytes.size();
  auto received = reader_.next(bytes);
  before_drain_ -= std::min(before_drain_, before - bytes.size());
  if (received) frame_deadline_.reset();
  return received;
}

void Session::begin(Client& client, const ReceivedFrame& received,
                    std::optional<std::uint64_t> key_hash) {
  service_.count(Count::kRequests);
  const Row* row = row_of(received.frame.type);
  const auto refusal = refusal_of(received, row);
  if (!refusal) return start(client, {.row = row, .frame = received.frame, .key_hash = key_hash});
  refuse(client, received.frame, *refusal);
  if (received.fault == FrameFault::kBadType) service_.count(Count::kBadFrames);
  is_over_ = is_last(received.fault);
}

std::optional<Refusal> Session::refusal_of(const ReceivedFrame& received, const Row* row) {
  if (received.fault == FrameFault::kBadType) return kNotAFrame;
  if (!is_known_ && !is_open_to_strangers(received, row)) return kStranger;
  if (received.fault == FrameFault::kHopelessValue) return kLongValue;
  if (is_late_) return kGoing;
  if (row == nullptr) return kUnknown;
  if (received.fault == FrameFault::kKeyTooLong) return kLongKey;
  if (received.fault == FrameFault::kValueTooLong) return kLongValue;
  if (received.fault == FrameFault::kRefused) return kNoMemory;
  return check(*row, received.frame);
}

// Few requests wait: only those have a call of their own.
void Session::start(Client& client, Call call) {
  if (!advance(client, call)) call_ = std::make_unique<Call>(std::move(call));
}

// The first of a turn always has time.
bool Session::has_time(const Call& call) {
  const bool is_costly = call.row->cost == Cost::kHigh || call.frame.value.size() >= kLargeWork;
  return !is_costly || !service_.work_time.is_over(service_.clock());
}

bool Session::advance(Client& client, Call& call) {
  if (call.rest && !send_rest(client, call)) return wait_for(Wait::kOutput);
  if (call.is_answered) return true;
  if (!has_time(call)) return wait_for(Wait::kNextTurn);
  const Progress progress = call.row->serve(client, call);
  if (progress == Progress::kBusy) return wait_shortly(client, call);
  call.busy_since.reset();
  if (progress == Progress::kMore) return wait_for(Wait::kNextTurn);
  if (progress == Progress::kOutputFull) return wait_for(Wait::kOutput);
  call.is_answered = true;
  return !call.rest || wait_for(Wait::kOutput);
}

// What this batch has read, or removed while it read, is free when it is over: so first the next
// turn, without a timer.
bool Session::wait_shortly(Client& client, Call& call) {
  const Time now = service_.clock();
  if (!call.busy_since) {
    call.busy_since = now;
    return wait_for(Wait::kNextTurn);
  }
  if (now - *call.busy_since >= kBusyPatience) {
    refuse(client, call.frame, words_for(Answer::kBusy));
    return true;
  }
  return wait_for(Wait::kShortly);
}

// At the end of each call.
void Session::settle(const Output& output) {
  if (wait_ == Wait::kNothing && has_ended_) {
    if (reader_.is_inside_frame() && !is_over_) service_.count(Count::kCutFrames);
    is_over_ = true;
  }
  charge_frame();
  backlog_charge_.set(backlog_.size());
  set_pending(output.size());
  set_frame_deadline();
  linger();
}

// From when nothing is under way any more: those who ask on and on get no more time. Only time in
// which nothing is read, because the client does not read, is no part of it.
void Session::linger() {
  if (wait_ == Wait::kOutput) linger_until_.reset();
  if (!drains_ || wait_ != Wait::kNothing || reader_.is_inside_frame()) return;
  const Time now = service_.clock();
  if (!linger_until_) linger_until_ = now + kDrainLinger;
  if (now >= *linger_until_) is_over_ = true;
}

// The whole of a frame as soon as its size is known, not what has come of it: what is promised to
// one client is not given to another. One that waits is kept, too. Of strangers nothing that counts
// is kept.
void Session::charge_frame() {
  const bool has_ended = !reader_.is_inside_frame();
  const std::size_t size = has_ended ? 0 : reader_.announced_bytes();
  if (has_ended && call_) return frame_charge_.set(counted_frame(reader_.held_bytes()));
  const bool is_for_free = counted_frame(size) == 0;
  if ((is_known_ || is_for_free) && frame_charge_.try_set(counted_frame(size))) return;
  frame_charge_.set(0);
  reader_.skip_rest();
}

// Not while it is us who do not read.
void Session::set_frame_deadline() {
  if (is_over_ || wait_ != Wait::kNothing || !reader_.is_inside_frame()) {
    frame_deadline_.reset();
  } else if (!frame_deadline_) {
    frame_deadline_ = service_.clock() + service_.limits.frame_timeout;
  }
}

}  // namespace kvs::kv1

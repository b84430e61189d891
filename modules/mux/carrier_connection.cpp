#include "modules/mux/carrier_connection.h"

#include <algorithm>
#include <utility>

#include "modules/mux/carried_stream.h"

namespace mux {
namespace {

constexpr Time kComplainEvery{1'000};
constexpr unsigned kMostSlowTurns = 32;
constexpr Time kTooEarly{1'000};

// Of the protocols that a server may be pinned to, those that need no look at the first bytes.
std::optional<Protocol> known_protocol(Spoken spoken) {
  switch (spoken) {
    case Spoken::kSmux:
      return Protocol::kSmux;
    case Spoken::kYamux:
      return Protocol::kYamux;
    case Spoken::kAuto:
    case Spoken::kXsmux:
      break;
  }
  return std::nullopt;
}

Detection version_of_xsmux(std::string_view first_bytes) {
  if (first_bytes.empty()) return Detection::kMore;
  if (first_bytes[0] == 1) return Detection::kXsmux1;
  if (first_bytes[0] == 2) return Detection::kXsmux2;
  return Detection::kNone;
}

std::optional<Protocol> protocol_of(Detection detection) {
  switch (detection) {
    case Detection::kSmux:
      return Protocol::kSmux;
    case Detection::kXsmux1:
      return Protocol::kXsmux1;
    case Detection::kXsmux2:
      return Protocol::kXsmux2;
    case Detection::kYamux:
      return Protocol::kYamux;
    default:
      return std::nullopt;
  }
}

Number sessions_of(Protocol protocol) {
  return static_cast<Number>(kSessionsSmux + static_cast<std::uint32_t>(protocol));
}

bool is_due(const std::optional<Time>& at, Time now) { return at && *at <= now; }

}  // namespace

CarrierConnection::CarrierConnection(Service& service, drover_conn conn)
    : service_(service), conn_(conn) {
  if (const auto protocol = known_protocol(service.config.spoken)) {
    begin(*protocol);
  } else {
    undecided_until_ = now() + service.config.detect_timeout;
  }
  touch();
}

CarrierConnection::~CarrierConnection() {
  if (is_touched_) std::erase(service_.touched, this);
  if (is_waiting_) {
    std::erase(service_.next_turn, this);
    std::erase(service_.slow, this);
  }
}

void CarrierConnection::receive(std::string_view bytes) {
  if (is_over_) return;
  touch();
  if (session_ != nullptr) return session_->receive(bytes, now());
  const std::size_t before = first_.size();
  first_.append(bytes.substr(0, kMostToDetect));
  look_at_first(false);
  const std::size_t looked_at = first_.size() - before;
  if (session_ != nullptr) {
    session_->receive(std::exchange(first_, {}), now());
    session_->receive(bytes.substr(looked_at), now());
  }
}

void CarrierConnection::look_at_first(bool is_late) {
  const bool is_xsmux = service_.config.spoken == Spoken::kXsmux;
  const Detection detection = is_xsmux  ? version_of_xsmux(first_)
                              : is_late ? detect_late(first_)
                                        : detect(first_);
  guess_at_.reset();
  if (detection == Detection::kNone) return refuse(kUnknownProtocols);
  if (detection == Detection::kMoreSoon) guess_at_ = now() + kDetectPatience;
  if (const auto protocol = protocol_of(detection)) begin(*protocol);
}

void CarrierConnection::begin(Protocol protocol) {
  session_ =
      make_session(protocol, Role::kServer, service_.config.limits, service_.worker, *this, now());
  undecided_until_.reset();
  service_.metrics.count(sessions_of(protocol));
}

void CarrierConnection::refuse(Number why) {
  service_.metrics.count(why);
  is_over_ = true;
  service_.host.close(conn_);
}

// A stream whose own end has not come was cut off: a module must not take it for whole.
void CarrierConnection::peer_ended() {
  if (is_over_) return;
  touch();
  has_peer_ended_ = true;
  if (session_ == nullptr && !first_.empty()) {
    look_at_first(true);
    if (session_ != nullptr) session_->receive(std::exchange(first_, {}), now());
  }
  if (is_over_) return;
  if (session_ == nullptr) return refuse(kUndecided);
  for (CarriedStream* carried = streams_; carried != nullptr; carried = carried->next)
    if (carried->stream != nullptr && !carried->stream->is_ended_by_peer)
      service_.host.child_reset(carried->child);
  session_->input_ended();
  session_->drain(now());
}

void CarrierConnection::drain() {
  if (is_over_) return;
  touch();
  cut_at_ = now() + service_.config.drain_timeout;
  if (session_ != nullptr) return session_->drain(now());
  drain_at_ = now() + kDrainGrace;
}

// Who has said nothing until now has nothing that could be finished.
void CarrierConnection::end_grace(Time now) {
  drain_at_.reset();
  if (session_ != nullptr) return session_->drain(now);
  if (!first_.empty()) {
    drain_at_ = now + kDrainGrace;
    return;
  }
  is_over_ = true;
  service_.host.close(conn_);
}

void CarrierConnection::on_timer() {
  timer_at_.reset();
  if (is_over_) return;
  touch();
  run_deadlines(now());
}

void CarrierConnection::run_deadlines(Time now) {
  if (is_due(drain_at_, now)) end_grace(now);
  if (is_over_) return;
  if (session_ == nullptr) {
    if (is_due(undecided_until_, now) || is_due(cut_at_, now)) return refuse(kUndecided);
    if (!is_due(guess_at_, now)) return;
    look_at_first(true);
    if (session_ != nullptr) session_->receive(std::exchange(first_, {}), now);
    return;
  }
  if (is_due(session_->wake_at(), now)) session_->wake(now);
  if (is_due(idle_at_, now) && session_->streams() == 0) {
    service_.metrics.count(kIdleSessions);
    leave(now);
  }
  if (is_due(cut_at_, now)) service_.metrics.count(kSessionsCut);
  if (is_due(cut_at_, now) || is_due(leave_at_, now)) session_->cut(now);
}

void CarrierConnection::go_on() {
  is_waiting_ = false;
  touch();
}

void CarrierConnection::try_again() {
  if (--slow_turns_left_ == 0) return go_on();
  service_.slow.push_back(this);
}

void CarrierConnection::touch() {
  if (!std::exchange(is_touched_, true)) service_.touched.push_back(this);
}

void CarrierConnection::settle() {
  is_touched_ = false;
  if (is_over_) return;
  const Time now = this->now();
  if (session_ != nullptr) {
    if (session_->ending() != Ending::kNone) return finish(now);
    tell_used(now);
    send(now);  // which may be the last of a stream
    note_idleness(now);
    note_end_of_input(now);
    if (session_->ending() != Ending::kNone) return finish(now);
    set_reading();
  }
  set_timer(now);
}

void CarrierConnection::note_idleness(Time now) {
  const Time allowed = service_.config.idle_session_timeout;
  if (allowed == Time{0} || session_->streams() > 0) {
    idle_at_.reset();
  } else if (!idle_at_) {
    idle_at_ = now + allowed;
  }
}

// What its streams have left to say is still sent, but nobody can grant a window for it any more.
void CarrierConnection::note_end_of_input(Time now) {
  if (!has_peer_ended_ || streams_ != nullptr) return;
  if (session_->streams() == 0) return leave(now);
  if (!leave_at_) leave_at_ = now + service_.config.limits.half_closed_linger;
}

// Without a stream: says so where there is a word for it, and goes. A session of smux, which would
// otherwise stay for as long as its client does, goes too.
void CarrierConnection::leave(Time now) {
  session_->drain(now);
  session_->cut(now);
}

// A share of the turn. When more is left it goes on in the next turn, or, when the socket does not
// take it, soon: Drover tells nobody that so little output has become less.
void CarrierConnection::send(Time now) {
  if (!session_->has_output()) return;
  const std::size_t pending = service_.host.pending_output(conn_);
  const bool is_slow = pending > kMostPending / 2;
  if (!is_slow) {
    slow_turns_ = 1;
    session_->send(service_.out, kMostPending - pending, now);
    if (service_.out.empty()) return;
    service_.host.write(conn_, service_.out);
    service_.out.clear();
    if (!session_->has_output()) return;
  }
  if (std::exchange(is_waiting_, true)) return;
  slow_turns_left_ = slow_turns_;
  if (is_slow) slow_turns_ = std::min(2 * slow_turns_, kMostSlowTurns);
  (is_slow ? service_.slow : service_.next_turn).push_back(this);
}

// Behind the farewell nothing is said: what its streams write from now on is dropped.
void CarrierConnection::finish(Time now) {
  is_over_ = true;
  log_ending();
  std::string farewell;
  while (session_->has_output()) {
    const std::size_t before = farewell.size();
    session_->send(farewell, before + kMostPending, now);
    if (farewell.size() == before) break;
  }
  service_.host.write(conn_, farewell);
  for (CarriedStream* carried = streams_; carried != nullptr; carried = carried->next)
    service_.host.child_reset(carried->child);
  service_.host.close(conn_);
}

void CarrierConnection::log_ending() {
  if (session_->ending() != Ending::kProtocolError) return;
  if (now() - service_.complained_at < kComplainEvery) return;
  service_.complained_at = now();
  service_.host.log(DROVER_LOG_DEBUG, "mux: protocol error: " + std::string(session_->error()) +
                                          " peer=" + service_.host.peer_name(conn_));
}

void CarrierConnection::set_reading() {
  const bool is_paused = !session_->reads();
  if (std::exchange(is_paused_, is_paused) == is_paused) return;
  is_paused ? service_.host.pause_reading(conn_) : service_.host.resume_reading(conn_);
}

// A timer that rings a little too early is left alone, and looks again when it does.
void CarrierConnection::set_timer(Time now) {
  const auto deadline = next_deadline();
  if (!deadline) return;
  if (timer_at_ && *timer_at_ <= *deadline && *deadline < *timer_at_ + kTooEarly) return;
  service_.host.set_timer(conn_, std::max(*deadline - now, Time{1}));
  timer_at_ = deadline;
}

std::optional<Time> CarrierConnection::next_deadline() const {
  std::optional<Time> next = session_ == nullptr ? undecided_until_ : session_->wake_at();
  for (const auto& at : {guess_at_, drain_at_, cut_at_, idle_at_, leave_at_}) {
    if (at && (!next || *at < *next)) next = at;
  }
  return next;
}

}  // namespace mux

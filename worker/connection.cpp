// The beginning and the end of a connection, and settle() between them.
#include "worker/connection.h"

#include <cerrno>

#include "worker/child_transport.h"
#include "worker/connection_hooks.h"
#include "worker/socket_transport.h"

namespace drover {

// The module's state follows the record. 300 bytes is the budget of an idle connection in all: with
// malloc's own, the table's 20 and libevent's 44 this leaves some.
static_assert(sizeof(Connection) <= 224);

const char* to_string(drover_close_reason reason) {
  switch (reason) {
    case DROVER_CLOSED_BY_MODULE:
      return "module";
    case DROVER_CLOSED_BY_PEER:
      return "peer";
    case DROVER_RESET:
      return "reset";
    case DROVER_TIMEOUT:
      return "timeout";
    case DROVER_DRAINED:
      return "drained";
    case DROVER_MODULE_FAILED:
      return "failed";
    case DROVER_MOVED:
      return "moved";
  }
  return "unknown";
}

Connection::Connection(Server& server, const PeerAddress& peer)
    : server_(&server), opened_at_(server.core.now()), peer_(peer) {}

Connection::~Connection() { transport().~Transport(); }

void Connection::start(Server& server, const ListenSettings& listen, UniqueFd fd,
                       const PeerAddress& peer) {
  Connection* connection = make<SocketTransport>(server, peer, std::move(fd), listen.quickack);
  if (!listen.proxy_protocol) {
    connection->admit();
  } else if (server.admission.may_send_proxy_header(peer)) {
    connection->state_ = State::kProxyHeader;
  } else {
    connection->refuse();
  }
  connection->settle();
}

void Connection::destroy(Connection* connection) {
  connection->~Connection();
  ::operator delete(connection);
}

void Connection::half_close() {
  if (state_ != State::kServing) return;
  wants_fin_ = true;
  settle_soon();
}

void Connection::set_paused(bool paused) {
  is_paused_ = paused;
  settle_soon();
}

void Connection::close_for(drover_close_reason reason) {
  if (state_ == State::kClosing || is_broken_) return;
  if (state_ == State::kConnecting) return fail_to_connect(ECANCELED);
  state_ = State::kClosing;
  reason_ = reason;
  wants_fin_ = true;
  leftover_.reset();
  settle_soon();
}

// The first reason stands.
void Connection::break_with(drover_close_reason reason) {
  if (!is_broken_ && !(state_ == State::kClosing && fin_sent_)) {
    reason_ = reason;
  }
  is_broken_ = true;
}

void Connection::refuse() {
  ConnectionCore::count(core().counters().refused_access);
  break_with(DROVER_CLOSED_BY_MODULE);
}

void Connection::settle_soon() {
  if (is_settling_later_ || core().gather().is_for(handle())) return;
  is_settling_later_ = true;
  core().begin_batch();
  core().settle_later(handle());
}

void Connection::on_turn() {
  is_settling_later_ = false;
  if (is_broken_) return settle();
  if (is_child_ && state_ == State::kConnecting) open();
  const short ready = transport().ready();
  ready != 0 ? on_event(ready) : settle();
}

void Connection::settle() {
  if (!is_broken_) send_pending();
  if (!is_broken_) check_water();
  if (!is_broken_) finish_output();
  if (is_over()) return end(reason_);
  watch();
  if (is_touched_) core().table().set_deadline(index_, next_deadline());
  is_touched_ = false;
  if (transport().ready() != 0) settle_soon();
}

void Connection::finish_output() {
  if (!wants_fin_ || fin_sent_ || output_ != nullptr) return;
  fin_sent_ = true;
  is_touched_ = true;
  if (peer_ended_) return;  // we are over, and closing says it
  if (!transport().end_output()) break_with(DROVER_RESET);
}

// Both directions have ended, or the connection broke.
bool Connection::is_over() const { return is_broken_ || (fin_sent_ && peer_ended_); }

void Connection::watch() {
  const short want = wanted();
  if (want == static_cast<short>(watched_)) return;
  const bool was_watched = watched_ != 0;
  watched_ = static_cast<unsigned>(want) & 0x3fU;
  if (!was_watched && may_linger_unwatched() && core().lingering().add(handle())) return;
  transport().watch(core().base(), want, this);
}

// Nothing but the peer's end is waited for. Where there are limits, its share of them is to be free
// as soon as that has come: the client may be back at once, at another worker.
bool Connection::may_linger_unwatched() const {
  return state_ == State::kClosing && fin_sent_ && !is_child_ && !server_->settings.has_limits();
}

bool Connection::on_linger_turn() {
  receive();
  const bool has_ended = is_over();
  if (!has_ended) transport().watch(core().base(), wanted(), this);
  settle();
  return has_ended;
}

short Connection::wanted() const {
  if (state_ == State::kConnecting) return EV_WRITE;
  if (output_ != nullptr) return peer_ended_ || holds_back() ? EV_WRITE : EV_READ | EV_WRITE;
  // Edge-triggered, or what is not to be read would be told for ever; what may come is a reset.
  return peer_ended_ || holds_back() ? EV_READ | EV_ET : EV_READ;
}

bool Connection::holds_back() const {
  return state_ == State::kServing && (is_paused_ || is_throttled_);
}

// What the connection waits for now decides how long it may.
Millis Connection::next_deadline() const {
  const ServerSettings& settings = server_->settings;
  const auto after = [](Millis from, Millis timeout) {
    return timeout == Millis{0} ? Millis{0} : from + timeout;
  };
  const Millis now = core().now();
  if (state_ == State::kProxyHeader) return after(opened_at_, settings.proxy_timeout);
  if (output_ != nullptr) return after(now, settings.write_timeout);
  if (state_ == State::kClosing) return after(now, settings.linger_timeout);
  if (!has_first_byte_ && settings.first_byte_timeout != Millis{0}) {
    return opened_at_ + settings.first_byte_timeout;
  }
  return after(now, settings.idle_timeout);
}

void Connection::on_timer() {
  if (state_ == State::kServing && !is_broken_ && server_->module.on_timer != nullptr) {
    call(server_->module.on_timer);
    send_gathered({});
  }
  settle();
}

void Connection::on_deadline() {
  if (state_ == State::kConnecting) {
    fail_to_connect(ETIMEDOUT);
    return settle();
  }
  if (state_ == State::kProxyHeader) {
    refuse();
    return settle();
  }
  const bool said_goodbye = state_ == State::kClosing && fin_sent_;
  end(said_goodbye ? reason_ : DROVER_TIMEOUT);
}

// The handle is stale before on_close is called, so that nothing is written to what has gone.
void Connection::end(drover_close_reason reason) {
  ConnectionCore& shared = core();
  is_ending_ = true;
  if (is_carrier_) end_children(reason);
  const drover_conn name = handle();
  const std::uint64_t word = tag();
  shared.timers().cancel(name);
  shared.table().remove(index_);
  if (is_outgoing_) shared.tags().erase(name);
  if (is_child_) {
    shared.streams().remove(ConnectionTable::index_of(stream()->carrier().parent), index_);
  }
  transport().close(reason, fin_sent_ && peer_ended_ && !is_broken_);
  if (!is_child_) ConnectionCore::count(shared.counters().closed);
  if (is_outgoing_ && !is_open_) tell_not_connected(word);
  if (is_open_) {
    write_access_log(reason);
    const HookRun run(*server_);
    if (server_->module.on_close != nullptr) {
      server_->module.on_close(server_->instance, name, state(), reason);
    }
  }
  shared.recycle(index_, server_->admission);
  destroy(this);
}

void Connection::write_access_log(drover_close_reason reason) const {
  if (!server_->access_log || is_outgoing_) return;
  const Status written = server_->access_log->add({.time = std::chrono::system_clock::now(),
                                                   .peer = peer_.to_string(),
                                                   .server = server_->settings.name,
                                                   .bytes_in = bytes_in_,
                                                   .bytes_out = bytes_out_,
                                                   .duration = core().now() - opened_at_,
                                                   .reason = to_string(reason)});
  if (!written.ok() && core().may_log()) {
    core().log().error("access log server={}: {}", server_->settings.name,
                       written.error().message());
  }
}

}  // namespace drover

#include "worker/accepting.h"

#include <cstring>

#include "common/check.h"
#include "worker/accept/accept_budget.h"
#include "worker/connection.h"

namespace drover {
namespace {

constexpr Millis kExhaustedPause{100};

}  // namespace

Accepting::Accepting(const Heritage& heritage, ConnectionCore& core,
                     std::span<const std::unique_ptr<Server>> servers)
    : heritage_(heritage), core_(core), servers_(servers) {
  for (std::size_t i = 0; i < servers.size(); ++i) {
    strategies_.push_back(make_strategy(*this, static_cast<std::uint16_t>(i)));
  }
}

void Accepting::begin() {
  is_serving_ = true;
  may_accept_ = true;
  update();
  finish();
}

void Accepting::end(const std::vector<std::uint32_t>& removed) {
  is_serving_ = false;
  may_accept_ = true;
  update();
  for (const auto& strategy : strategies_) strategy->drain(removed);
  finish();
}

void Accepting::close_listener(std::uint32_t listener_id) {
  for (const auto& strategy : strategies_) strategy->close_listener(listener_id);
  finish();
}

void Accepting::close_listeners_of(std::size_t server) {
  strategies_[server]->close_listeners();
  finish();
}

// What finds no room now is taken when a connection has ended. A generation that does not serve yet
// may never do so, and would take what it accepts with it.
void Accepting::finish() {
  if (!may_accept_) return;
  is_finished_ = true;
  for (const auto& strategy : strategies_) is_finished_ = strategy->finish() && is_finished_;
}

void Accepting::on_heartbeat() {
  for (const auto& strategy : strategies_) strategy->on_heartbeat(core_.now());
  take_stranded();
}

void Accepting::on_doorbell() {
  if (!is_listening_) return;
  for (const auto& strategy : strategies_) {
    if (is_listening_) strategy->on_doorbell();  // the one before may have filled the worker
  }
  take_stranded();
}

void Accepting::take_stranded() {
  if (!heritage_.board().any_steered_around()) return;
  for (const auto& strategy : strategies_) {
    if (is_listening_) strategy->take_stranded();
  }
}

void Accepting::on_batch_end() {
  if (is_exhausted_ && core_.sockets() < live_when_exhausted_) is_exhausted_ = false;
  update();
  if (!is_finished_ && has_room()) finish();
}

bool Accepting::has_room() const { return !is_exhausted_ && core_.has_room_for_socket(); }

int Accepting::budget() const { return accept_budget(core_.last_turn()); }

std::uint32_t Accepting::live() const { return static_cast<std::uint32_t>(core_.sockets()); }

std::uint32_t Accepting::capacity() const { return static_cast<std::uint32_t>(core_.capacity()); }

// Brings the strategies to what the worker can take now.
void Accepting::update() {
  const bool listen = is_serving_ && has_room();
  if (listen == is_listening_) return;
  is_listening_ = listen;
  // Said before a strategy looks for a neighbour with room: of two workers that are full in the
  // same moment one at most believes that the other is not.
  core_.seat().live.store(live());
  if (!listen && is_serving_) ConnectionCore::count(core_.counters().accept_pauses);
  for (const auto& strategy : strategies_) listen ? strategy->resume() : strategy->pause();
}

void Accepting::on_accepted(Accepted accepted) {
  core_.begin_batch();
  DROVER_CHECK(!core_.table().is_full());
  const ListenerHeritage& listener = *accepted.listener;
  Server& server = *servers_[listener.server];
  if (server.is_closed)
    return ConnectionCore::count(core_.counters().closed);  // as `accepted` goes
  const ListenSettings& listen = server.settings.listens[listener.listen];
  PeerAddress peer;
  if (accepted.peer_size > 0) {
    peer = PeerAddress::from(reinterpret_cast<const sockaddr*>(&accepted.peer));
  } else if (listen.address.is_unix()) {
    peer.family = AF_UNIX;
  }
  Connection::start(server, listen, std::move(accepted.fd), peer);
  update();
}

void Accepting::on_descriptors_exhausted(int error_number) {
  core_.begin_batch();
  is_exhausted_ = true;
  live_when_exhausted_ = core_.sockets();
  if (exhaustion_log_.allow(core_.now())) {
    core_.log().warning("cannot accept: {}; pausing for {} ms", strerrordesc_np(error_number),
                        kExhaustedPause.count());
  }
  exhaustion_over_.start(core_.base(), kExhaustedPause, this);
  update();
}

void Accepting::on_exhaustion_over() {
  core_.begin_batch();
  is_exhausted_ = false;
  update();
}

void Accepting::ring(int slot) {
  ring_doorbell(heritage_.doorbells[static_cast<std::size_t>(slot)]);
}

}  // namespace drover

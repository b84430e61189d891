// accept = acceptor, the worker's side: connections accepted by the acceptor process arrive over
// this slot's pair. One set of pairs serves all servers of the generation that have an acceptor;
// the strategy of the first such server reads it for all of them, because a batch may name any
// server's listeners.
#include <algorithm>
#include <utility>

#include "worker/accept/passing.h"
#include "worker/accept/queue_strategy.h"
#include "worker/accept/slots.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

bool is_first_acceptor_server(const Settings& settings, std::uint16_t server) {
  const auto first =
      std::ranges::find(settings.servers, AcceptStrategy::kAcceptor, &ServerSettings::accept);
  return first - settings.servers.begin() == server;
}

class AcceptorStrategy final : public QueueStrategy {
 public:
  AcceptorStrategy(AcceptHost& host, std::uint16_t server)
      : QueueStrategy(host, server),
        reads_pairs_(is_first_acceptor_server(*host.heritage().settings, server) &&
                     !host.heritage().passing.empty()) {}

  void resume() override;
  void pause() override;
  void on_heartbeat(Millis now) override;
  void on_doorbell() override { help_neighbours(); }
  void drain(const std::vector<std::uint32_t>& removed) override;
  bool finish() override;

 protected:
  // The acceptor process waits at them.
  [[nodiscard]] int owner_of_active(const ListenerHeritage& /*listener*/) const override {
    return kNoWorker;
  }

 private:
  enum class Reading { kNothingWaits, kNoRoom, kTaken };

  void on_pair_readable();
  void help_neighbours();
  [[nodiscard]] bool needs_help(int slot) const;
  bool read_all_pairs();
  Reading read_pair(int slot);
  void take_over(Passed passed);
  void on_unknown_listener(std::uint32_t id);
  [[nodiscard]] const ListenerHeritage* find_listener(std::uint32_t id) const;
  [[nodiscard]] int pair_of(int slot) const {
    return heritage().passing[static_cast<std::size_t>(slot)].receive_fd;
  }

  const bool reads_pairs_;
  bool is_draining_ = false;
  Event<&AcceptorStrategy::on_pair_readable> pair_;
};

void AcceptorStrategy::resume() {
  QueueStrategy::resume();
  if (!reads_pairs_ || pair_.is_pending(EV_READ)) return;
  pair_.start(host_.base(), pair_of(heritage().slot), EV_READ, this);
}

void AcceptorStrategy::pause() {
  QueueStrategy::pause();
  pair_.stop();
}

void AcceptorStrategy::on_heartbeat(Millis /*now*/) {
  if (is_paused()) return;
  resume();  // on_pair_readable() may have stopped
  help_neighbours();
}

// A slot that is steered around cannot read its pair; one that has not the room for all of a batch
// (other servers have filled it, or more was sent before it counted the last) will not.
void AcceptorStrategy::help_neighbours() {
  for (int slot = 0; reads_pairs_ && slot < heritage().slots; ++slot) {
    if (slot == heritage().slot || !needs_help(slot)) continue;
    if (read_pair(slot) == Reading::kTaken) host_.ring(heritage().slot);  // more: the next turn
  }
}

// The scoreboard first: while all have room for the largest batch, no heartbeat makes a system
// call.
bool AcceptorStrategy::needs_help(int slot) const {
  const bool is_usable = is_slot_usable(heritage(), slot);
  const std::uint32_t room = room_of_slot(heritage(), slot);
  if (is_usable && room >= kMaxPassed) return false;
  const std::optional<std::size_t> waiting = peek_batch(pair_of(slot));
  return waiting && (!is_usable || room < *waiting);
}

void AcceptorStrategy::drain(const std::vector<std::uint32_t>& removed) {
  is_draining_ = true;
  QueueStrategy::drain(removed);
}

// The acceptor has stopped before a worker drains, so the pairs only get emptier; a neighbour that
// died has no successor.
bool AcceptorStrategy::finish() {
  const bool pairs_are_read = !is_draining_ || read_all_pairs();
  return QueueStrategy::finish() && pairs_are_read;
}

// A batch for which there is no room now stays where it is until the heartbeat looks again.
void AcceptorStrategy::on_pair_readable() {
  const Reading reading = read_pair(heritage().slot);
  if (reading == Reading::kNoRoom) pair_.stop();
  if (reading == Reading::kNothingWaits) {  // a neighbour took it
    heritage().my_seat().counters.empty_wakeups.fetch_add(1, std::memory_order_relaxed);
  }
}

// False: something had to stay where it is.
bool AcceptorStrategy::read_all_pairs() {
  if (!reads_pairs_) return true;
  Reading reading = Reading::kTaken;
  for (int slot = 0; slot < heritage().slots && reading != Reading::kNoRoom; ++slot) {
    do {
      reading = read_pair(slot);
    } while (reading == Reading::kTaken);
  }
  return reading != Reading::kNoRoom;
}

AcceptorStrategy::Reading AcceptorStrategy::read_pair(int slot) {
  const std::optional<std::size_t> waiting = peek_batch(pair_of(slot));
  if (!waiting) return Reading::kNothingWaits;
  if (!host_.has_room() || host_.live() + *waiting > host_.capacity()) return Reading::kNoRoom;
  if (!has_descriptors(pair_of(slot), *waiting)) {
    host_.on_descriptors_exhausted(EMFILE);
    return Reading::kNoRoom;
  }
  ReceivedBatch batch = receive_batch(pair_of(slot));
  if (batch.lost > 0) {
    heritage().log->error("connections lost while they were passed: count={} slot={}", batch.lost,
                          slot);
  }
  if (slot != heritage().slot) count_steered(static_cast<int>(batch.connections.size()));
  for (Passed& passed : batch.connections) take_over(std::move(passed));
  return Reading::kTaken;
}

// A peer without a name has reset the connection meanwhile: nobody is left to serve, and without an
// address the access list could not be asked.
void AcceptorStrategy::take_over(Passed passed) {
  const ListenerHeritage* listener = find_listener(passed.listener_id);
  if (listener == nullptr) return on_unknown_listener(passed.listener_id);
  Accepted connection{std::move(passed.fd), {}, sizeof(sockaddr_storage), listener};
  auto* peer = reinterpret_cast<sockaddr*>(&connection.peer);
  if (getpeername(connection.fd.get(), peer, &connection.peer_size) != 0) return;
  if (connection.peer_size <= sizeof(sa_family_t)) connection.peer_size = 0;
  heritage().my_seat().counters.accepted.fetch_add(1, std::memory_order_relaxed);
  host_.on_accepted(std::move(connection));
}

// A worker that was born after a quarantine knows those servers' listeners no more, for which the
// acceptor may have accepted before it.
void AcceptorStrategy::on_unknown_listener(std::uint32_t id) {
  if (heritage().closed_servers.empty())
    return heritage().log->error("connection passed for an unknown listener: id={}", id);
  heritage().my_seat().counters.accepted.fetch_add(1, std::memory_order_relaxed);
  heritage().my_seat().counters.closed.fetch_add(1, std::memory_order_relaxed);
}

const ListenerHeritage* AcceptorStrategy::find_listener(std::uint32_t id) const {
  const auto found = std::ranges::find(heritage().listeners, id, &ListenerHeritage::id);
  return found == heritage().listeners.end() ? nullptr : &*found;
}

}  // namespace

std::unique_ptr<Strategy> make_acceptor_strategy(AcceptHost& host, std::uint16_t server) {
  return std::make_unique<AcceptorStrategy>(host, server);
}

}  // namespace drover

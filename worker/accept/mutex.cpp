// accept = mutex: only the worker that holds the accept lease waits at the listening sockets. The
// lease lies in shared memory with its deadline and is changed by compare-and-swap; it goes round
// by doorbell (lease.h has the rules), and whoever finds it expired takes it, so a holder that died
// or hangs stops accepting for less than a second.
#include "worker/accept/lease.h"
#include "worker/accept/queue_strategy.h"
#include "worker/accept/slots.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

class MutexStrategy final : public QueueStrategy {
 public:
  MutexStrategy(AcceptHost& host, std::uint16_t server)
      : QueueStrategy(host, server), word_(host.heritage().board().leases.at(server)) {}

  void resume() override;
  void pause() override;
  void on_heartbeat(Millis now) override;
  void on_doorbell() override;
  void take_stranded() override;

 protected:
  [[nodiscard]] int owner_of_active(const ListenerHeritage& /*listener*/) const override {
    return kEveryone;
  }
  [[nodiscard]] bool waits_with_everyone() const override { return holding_; }
  [[nodiscard]] int turn_budget() const override { return kTenureAccepts; }
  void on_queue_readable(AcceptQueue& queue) override;
  void on_turn_taken(AcceptQueue& queue, const Taken& taken) override;

 private:
  [[nodiscard]] Lease lease() const { return Lease::unpack(word_.load()); }
  [[nodiscard]] bool is_mine(const Lease& lease) const { return lease.holder == heritage().slot; }
  [[nodiscard]] bool is_slot_busy(int slot) const;
  [[nodiscard]] int next_holder() const;
  void decline_if_given();
  void claim_if_free(Millis now);
  void begin_tenure();
  void go_on(const Lease& lease, Millis now);
  void pass_on(Millis now);
  bool replace(const Lease& from, const Lease& to);
  void set_holding(bool holding);

  AcceptLease& word_;
  bool holding_ = false;  // what this process believes; the word decides
  Tenure tenure_;
};

void MutexStrategy::resume() {
  QueueStrategy::resume();
  if (holding_) return;
  const Lease current = lease();
  const Millis now = monotonic_now();
  // A predecessor that was killed may have left it to this slot.
  is_mine(current) ? go_on(current, now) : claim_if_free(now);
}

void MutexStrategy::pause() {
  QueueStrategy::pause();
  if (holding_) pass_on(monotonic_now());
}

void MutexStrategy::on_heartbeat(Millis now) {
  if (is_paused()) return decline_if_given();
  const Lease current = lease();
  if (is_mine(current)) return go_on(current, now);
  set_holding(false);
  claim_if_free(now);
}

void MutexStrategy::on_doorbell() {
  const Lease current = lease();
  if (is_mine(current) && !holding_) go_on(current, monotonic_now());
}

// A lease that lies with a hung slot is not waited for.
void MutexStrategy::take_stranded() {
  const Lease current = lease();
  const bool stuck = current.holder >= 0 && heritage().board().is_steered_around(current.holder);
  if (stuck && !is_mine(current)) {
    const Millis now = monotonic_now();
    if (replace(current, {heritage().slot, now + kLeaseLength})) begin_tenure();
  }
  QueueStrategy::take_stranded();
}

void MutexStrategy::on_queue_readable(AcceptQueue& queue) {
  if (owner_of(queue.listener()) == kEveryone) {
    const Lease current = lease();
    if (!is_mine(current)) return set_holding(false);  // expired while this worker was busy
    const Millis now = monotonic_now();
    if (current.is_half_over(now)) replace(current, {heritage().slot, now + kLeaseLength});
  }
  QueueStrategy::on_queue_readable(queue);
}

void MutexStrategy::on_turn_taken(AcceptQueue& queue, const Taken& taken) {
  if (!holding_ || owner_of(queue.listener()) != kEveryone) return;
  const Millis now = monotonic_now();
  if (taken.count > 0) tenure_.count(taken.count, now);
  if (tenure_.is_over(now)) pass_on(now);
}

// Given to this slot while it is paused, when doorbells are not answered. After SIGTERM the slot
// may have a successor, whose lease this would be.
void MutexStrategy::decline_if_given() {
  const bool serves_slot = seat_of_slot(heritage(), heritage().slot) == &heritage().my_seat();
  if (serves_slot && is_mine(lease())) pass_on(monotonic_now());
}

void MutexStrategy::claim_if_free(Millis now) {
  const Lease current = lease();
  if (!current.is_free(now) || !host_.has_room()) return;
  if (is_slot_busy(heritage().slot) && next_holder() >= 0) return;  // one with more room will
  if (replace(current, {heritage().slot, now + kLeaseLength})) begin_tenure();
}

void MutexStrategy::begin_tenure() {
  tenure_.begin();
  set_holding(true);
}

void MutexStrategy::go_on(const Lease& current, Millis now) {
  const bool just_given = !holding_;
  if (just_given && is_slot_busy(heritage().slot)) return pass_on(now);
  if (just_given) begin_tenure();
  if (tenure_.is_over(now)) return pass_on(now);
  set_holding(replace(current, {heritage().slot, now + kLeaseLength}));
}

// With nobody else to take it the lease stays here, or with nobody when there is no room here
// either.
void MutexStrategy::pass_on(Millis now) {
  const Lease current = lease();
  if (!is_mine(current)) return set_holding(false);
  int next = next_holder();
  if (next < 0 && !is_paused() && host_.has_room()) next = heritage().slot;
  const bool done = replace(current, {next, next < 0 ? Millis{0} : now + kLeaseLength});
  if (done && next == heritage().slot) return begin_tenure();
  set_holding(false);
  if (done && next >= 0) host_.ring(next);
}

bool MutexStrategy::replace(const Lease& from, const Lease& to) {
  std::uint64_t expected = from.pack();
  return word_.compare_exchange_strong(expected, to.pack());
}

void MutexStrategy::set_holding(bool holding) {
  if (holding_ == holding) return;
  holding_ = holding;
  update_watching();
}

// Asked of the scoreboard for our own slot too, so that two workers cannot each believe the other
// has more room.
bool MutexStrategy::is_slot_busy(int slot) const {
  const Seat* seat = seat_of_slot(heritage(), slot);
  return seat == nullptr || is_busy(seat->live.load(std::memory_order_relaxed),
                                    seat->capacity.load(std::memory_order_relaxed));
}

int MutexStrategy::next_holder() const {
  return next_in_ring(heritage().slot, heritage().slots, [this](int slot) {
    return is_slot_usable(heritage(), slot) && !is_slot_busy(slot);
  });
}

}  // namespace

std::unique_ptr<Strategy> make_mutex_strategy(AcceptHost& host, std::uint16_t server) {
  return std::make_unique<MutexStrategy>(host, server);
}

}  // namespace drover

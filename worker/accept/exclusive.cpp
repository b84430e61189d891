// accept = exclusive: every worker waits at the same listening socket, but the kernel wakes one
// (EPOLLEXCLUSIVE). It wakes the first in line, always the same one when all are idle; so a worker
// that was woken goes to the end of the line, and one that stops waiting (it is full, or out of
// descriptors) rings a neighbour: the wake-up may have been the only one for its connection.
#include "worker/accept/exclusive_epoll.h"
#include "worker/accept/queue_strategy.h"
#include "worker/accept/slots.h"
#include "worker/accept/strategies.h"

namespace drover {
namespace {

class ExclusiveStrategy final : public QueueStrategy {
 public:
  ExclusiveStrategy(AcceptHost& host, std::uint16_t server)
      : QueueStrategy(host, server), epoll_(host.base()), has_line_(host.heritage().slots > 1) {}

  void resume() override {
    has_waited_ = true;
    QueueStrategy::resume();
  }

  void pause() override {
    const bool stops_waiting = !is_paused();
    QueueStrategy::pause();
    const int neighbour = stops_waiting ? next_with_room() : -1;
    if (neighbour >= 0) host_.ring(neighbour);
  }

  void on_doorbell() override { take_stranded(); }

  void drain(const std::vector<std::uint32_t>& removed) override {
    pause();
    // A wake-up that came together with the order to leave was the only one for its connection.
    if (has_waited_) take_stranded();
    QueueStrategy::drain(removed);
  }

 protected:
  [[nodiscard]] int owner_of_active(const ListenerHeritage& /*listener*/) const override {
    return kEveryone;
  }
  void on_watched(AcceptQueue& queue) override { go_to_end_of_line(queue); }
  // The host may have paused us while we took.
  void on_turn_taken(AcceptQueue& queue, const Taken& /*taken*/) override {
    if (queue.is_watched()) go_to_end_of_line(queue);
  }

 private:
  [[nodiscard]] int next_with_room() const {
    return next_in_ring(heritage().slot, heritage().slots, [this](int slot) {
      return is_slot_usable(heritage(), slot) && room_of_slot(heritage(), slot) > 0;
    });
  }

  void go_to_end_of_line(AcceptQueue& queue) {
    if (owner_of(queue.listener()) != kEveryone || !has_line_) return;
    has_line_ = epoll_.make_exclusive(queue.fd());
    if (!has_line_) {
      heritage().log->warning("accept = exclusive is not possible here, going on as shared");
    }
  }

  ExclusiveEpoll epoll_;
  bool has_line_;  // a lone worker needs none, and there is none where the trick fails
  bool has_waited_ = false;
};

}  // namespace

std::unique_ptr<Strategy> make_exclusive_strategy(AcceptHost& host, std::uint16_t server) {
  return std::make_unique<ExclusiveStrategy>(host, server);
}

}  // namespace drover

// What all strategies share: the listening sockets of one server as one worker sees them, who owns
// each, and taking from those that are orphaned, stranded or about to go. A strategy derives from
// it and says which queues it waits at.
//
// Every queue has an owner: a slot, everyone, or none of the workers. Surplus members of a former
// reuseport group (member >= active) belong to slot member % slots under every strategy.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/accept/accept_queue.h"
#include "worker/accept/accept_tap.h"
#include "worker/accept/strategy.h"

namespace drover {

class QueueStrategy : public Strategy, protected AcceptQueue::Watcher {
 public:
  void resume() override;
  void pause() override;
  void take_stranded() override;
  void close_listener(std::uint32_t listener_id) override;
  void close_listeners() override;
  void drain(const std::vector<std::uint32_t>& removed) override;
  bool finish() override;

 protected:
  static constexpr int kEveryone = -1;
  static constexpr int kNoWorker = -2;

  QueueStrategy(AcceptHost& host, std::uint16_t server);

  // Who owns the queue of a member below `active`: a slot, kEveryone or kNoWorker.
  [[nodiscard]] virtual int owner_of_active(const ListenerHeritage& listener) const = 0;
  // Whether this worker waits at everyone's queues while it is not paused.
  [[nodiscard]] virtual bool waits_with_everyone() const { return true; }
  // How many to take in one turn.
  [[nodiscard]] virtual int turn_budget() const { return host_.budget(); }
  // The queue has just been put into the loop.
  virtual void on_watched(AcceptQueue& /*queue*/) {}
  // A turn's accepting from a watched queue is over.
  virtual void on_turn_taken(AcceptQueue& /*queue*/, const Taken& /*taken*/) {}

  void on_queue_readable(AcceptQueue& queue) override;

  [[nodiscard]] int owner_of(const ListenerHeritage& listener) const;
  // Puts each queue into the loop or takes it out, after something that waits_with_everyone()
  // depends on has changed.
  void update_watching();
  void count_steered(int connections);
  [[nodiscard]] bool is_paused() const { return paused_; }
  [[nodiscard]] const Heritage& heritage() const { return host_.heritage(); }

  AcceptHost& host_;

 private:
  [[nodiscard]] bool waits_at(const ListenerHeritage& listener) const;
  void set_watched(AcceptQueue& queue, bool watched);

  AcceptTap tap_;
  bool paused_ = true;  // not told to start yet
  std::vector<std::unique_ptr<AcceptQueue>> queues_;
  std::vector<std::unique_ptr<AcceptQueue>> closing_;  // to be emptied and closed
};

}  // namespace drover

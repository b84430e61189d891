#include "worker/accept/queue_strategy.h"

#include <algorithm>

namespace drover {

QueueStrategy::QueueStrategy(AcceptHost& host, std::uint16_t server, int turn_budget)
    : host_(host), tap_(host), turn_budget_(turn_budget) {
  AcceptQueue::Watcher& watcher = *this;
  for (const ListenerHeritage& listener : host.heritage().listeners) {
    if (listener.server != server) continue;
    queues_.push_back(std::make_unique<AcceptQueue>(listener, host.base(), watcher));
  }
}

void QueueStrategy::resume() {
  paused_ = false;
  update_watching();
}

void QueueStrategy::pause() {
  paused_ = true;
  update_watching();
}

void QueueStrategy::take_stranded() {
  for (const auto& queue : queues_) {
    const int owner = owner_of(queue->listener());
    const bool orphaned = owner >= 0 && heritage().board().is_steered_around(owner);
    if (owner != kEveryone && !orphaned) continue;
    const Taken taken = tap_.take(*queue, turn_budget_);
    if (owner != kEveryone && owner != heritage().slot) count_steered(taken.count);
    if (taken.count > 0 && !taken.ran_dry) host_.ring(heritage().slot);  // the rest next turn
  }
}

void QueueStrategy::take_all(const std::vector<std::uint32_t>& listener_ids) {
  for (const auto& queue : queues_) {
    const bool listed = std::ranges::count(listener_ids, queue->listener().id) != 0;
    if (listed) tap_.take(*queue, AcceptTap::kUnlimited);
  }
}

void QueueStrategy::close_listener(std::uint32_t listener_id) {
  std::erase_if(queues_,
                [listener_id](const auto& queue) { return queue->listener().id == listener_id; });
}

void QueueStrategy::close_all() {
  pause();
  queues_.clear();
}

void QueueStrategy::on_queue_readable(AcceptQueue& queue) {
  const Taken taken = tap_.take(queue, turn_budget_);
  if (taken.is_empty_wakeup()) {
    heritage().my_seat().counters.empty_wakeups.fetch_add(1, std::memory_order_relaxed);
  }
  on_turn_taken(queue, taken);
}

int QueueStrategy::owner_of(const ListenerHeritage& listener) const {
  if (listener.member < listener.active) return owner_of_active(listener);
  return listener.member % heritage().slots;
}

bool QueueStrategy::waits_at(const ListenerHeritage& listener) const {
  if (paused_) return false;
  const int owner = owner_of(listener);
  return owner == kEveryone ? waits_with_everyone() : owner == heritage().slot;
}

void QueueStrategy::update_watching() {
  for (const auto& queue : queues_) set_watched(*queue, waits_at(queue->listener()));
}

void QueueStrategy::set_watched(AcceptQueue& queue, bool watched) {
  if (!watched) return queue.unwatch();
  if (queue.is_watched()) return;
  queue.watch();
  on_watched(queue);
}

void QueueStrategy::count_steered(int connections) {
  heritage().my_seat().counters.steered.fetch_add(static_cast<std::uint64_t>(connections),
                                                  std::memory_order_relaxed);
}

}  // namespace drover

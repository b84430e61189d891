#include "worker/accept/queue_strategy.h"

#include <algorithm>

namespace drover {

QueueStrategy::QueueStrategy(AcceptHost& host, std::uint16_t server) : host_(host), tap_(host) {
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
    const Taken taken = tap_.take(*queue, turn_budget());
    if (owner != kEveryone && owner != heritage().slot) count_steered(taken.count);
    if (!taken.ran_dry && host_.has_room()) host_.ring(heritage().slot);  // the rest next turn
  }
}

void QueueStrategy::close_listener(std::uint32_t listener_id) {
  const auto found = std::ranges::find_if(
      queues_, [listener_id](const auto& queue) { return queue->listener().id == listener_id; });
  if (found == queues_.end()) return;
  (*found)->unwatch();
  closing_.push_back(std::move(*found));
  queues_.erase(found);
}

void QueueStrategy::close_listeners() {
  queues_.clear();
  closing_.clear();
}

void QueueStrategy::drain(const std::vector<std::uint32_t>& removed) {
  pause();
  for (const std::uint32_t id : removed) close_listener(id);
  queues_.clear();
}

bool QueueStrategy::finish() {
  std::erase_if(closing_, [this](const auto& queue) {
    return tap_.take(*queue, AcceptTap::kUnlimited).ran_dry;
  });
  return closing_.empty();
}

void QueueStrategy::on_queue_readable(AcceptQueue& queue) {
  const Taken taken = tap_.take(queue, turn_budget());
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

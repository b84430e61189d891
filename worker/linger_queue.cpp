#include "worker/linger_queue.h"

#include <algorithm>

#include "worker/connection.h"
#include "worker/connection_core.h"

namespace drover {

bool LingerQueue::add(drover_conn handle) {
  if (!policy_.should_wait()) return false;
  waiting_.push_back({handle, core_.now() + kLongest});
  if (waiting_.size() == 1) arm();
  return true;
}

void LingerQueue::call_surplus() {
  const std::size_t may_wait = core_.has_room_for_socket() ? kMost : 0;
  while (waiting_.size() > may_wait) call_oldest();
}

void LingerQueue::call_due() {
  core_.begin_batch();
  while (!waiting_.empty() && waiting_.front().until <= core_.now()) call_oldest();
  if (!waiting_.empty()) arm();
}

void LingerQueue::call_oldest() {
  const drover_conn handle = waiting_.front().handle;
  waiting_.pop_front();
  Connection* const connection = core_.table().find(handle);
  if (connection != nullptr) policy_.after_wait(connection->on_linger_turn());
}

void LingerQueue::arm() {
  const Millis left = waiting_.front().until - core_.now();
  timer_.start(core_.base(), std::max(left, Millis{0}), this);
}

}  // namespace drover

// Connections in the order in which they came, of which any may leave at once: thousands do when
// what carries them ends.
#pragma once

#include <cstdint>
#include <deque>

#include "modules/sdk/drover_module.h"

namespace kvs {

class ConnectionQueue {
 public:
  // Where a connection stands, which it keeps itself; 0: nowhere.
  using Place = std::uint64_t;

  [[nodiscard]] bool empty() const { return all_.empty(); }
  [[nodiscard]] Place end() const { return first_ + all_.size(); }
  [[nodiscard]] bool has_before(Place place) const { return !empty() && first_ < place; }

  // Who stands there already keeps his place.
  void push(drover_conn conn, Place& place) {
    if (place != 0) return;
    place = end();
    all_.push_back(conn);
  }
  void leave(Place& place) {
    if (place == 0) return;
    all_[place - first_] = 0;
    place = 0;
    drop_left();
  }
  // The first. Its place is for the caller to set to 0.
  [[nodiscard]] drover_conn pop() {
    const drover_conn conn = all_.front();
    all_.front() = 0;
    drop_left();
    return conn;
  }

 private:
  void drop_left() {
    for (; !all_.empty() && all_.front() == 0; ++first_) all_.pop_front();
  }

  Place first_ = 1;
  std::deque<drover_conn> all_;  // 0: has left; never the first
};

}  // namespace kvs

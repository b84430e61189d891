// Every connection of a worker by number, in arrays laid out for what is done to all of them: 20
// bytes each, on pages that are touched when first used. The number is also the connection's place
// in the ledger of limits, so it is reused only when recycle() says that the ledger is clear.
#pragma once

#include <cstdint>
#include <vector>

#include "common/event.h"
#include "modules/sdk/drover_module.h"
#include "worker/zeroed_array.h"

namespace drover {

class Connection;

class ConnectionTable {
 public:
  // `capacity` connections at most, including numbers that wait to be recycled.
  explicit ConnectionTable(std::size_t capacity);

  [[nodiscard]] bool is_full() const { return free_.empty() && used_ == capacity_; }
  // Connections now.
  [[nodiscard]] std::size_t size() const { return size_; }

  // Only when not full. The number stays until remove() and recycle().
  std::uint32_t add(Connection* connection);
  // All handles of the connection are stale from here on.
  void remove(std::uint32_t index);
  void recycle(std::uint32_t index) { free_.push_back(index); }
  // How many more there may be now: a removed one counts again when it has been recycled.
  [[nodiscard]] std::size_t room() const { return free_.size() + (capacity_ - used_); }

  // The name of the connection that modules use: generation << 32 | index + 1.
  [[nodiscard]] drover_conn handle(std::uint32_t index) const {
    return std::uint64_t{generations_[index]} << 32 | (index + 1);
  }
  // Of a name that has been given, and not 0.
  [[nodiscard]] static std::uint32_t index_of(drover_conn handle) {
    return static_cast<std::uint32_t>(handle) - 1;
  }
  // Of a number that is in use.
  [[nodiscard]] Connection& at(std::uint32_t index) const { return *connections_[index]; }
  // Null when the connection has gone, or never was.
  [[nodiscard]] Connection* find(drover_conn handle) const;

  // Each connection has one deadline, 0 for none; what it means is the connection's business.
  void set_deadline(std::uint32_t index, Millis when) { deadlines_[index] = when.count(); }
  [[nodiscard]] Millis deadline(std::uint32_t index) const { return Millis{deadlines_[index]}; }

  // Calls `act` for each connection whose deadline is `now` or earlier. It may remove connections.
  template <class Act>
  void for_each_due(Millis now, Act act) {
    for (std::uint32_t i = 0; i < used_; ++i) {
      if (deadlines_[i] != 0 && deadlines_[i] <= now.count()) act(*connections_[i]);
    }
  }
  // The same for every connection.
  template <class Act>
  void for_each(Act act) {
    for (std::uint32_t i = 0; i < used_; ++i) {
      if (connections_[i] != nullptr) act(*connections_[i]);
    }
  }

 private:
  std::size_t capacity_;
  ZeroedArray<Connection*> connections_;
  ZeroedArray<std::int64_t> deadlines_;
  ZeroedArray<std::uint32_t> generations_;
  std::uint32_t used_ = 0;           // numbers from here on have never been given
  std::vector<std::uint32_t> free_;  // the last freed is the next used
  std::size_t size_ = 0;
};

}  // namespace drover

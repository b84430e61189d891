#include "worker/connection_table.h"

#include "common/check.h"

namespace drover {

ConnectionTable::ConnectionTable(std::size_t capacity)
    : capacity_(capacity),
      connections_(make_zeroed_array<Connection*>(capacity)),
      deadlines_(make_zeroed_array<std::int64_t>(capacity)),
      generations_(make_zeroed_array<std::uint32_t>(capacity)) {}

std::uint32_t ConnectionTable::add(Connection* connection) {
  DROVER_CHECK(!is_full());
  std::uint32_t index = used_;
  if (free_.empty()) {
    ++used_;
  } else {
    index = free_.back();
    free_.pop_back();
  }
  connections_[index] = connection;
  ++size_;
  return index;
}

void ConnectionTable::remove(std::uint32_t index) {
  DROVER_CHECK(connections_[index] != nullptr);
  connections_[index] = nullptr;
  deadlines_[index] = 0;
  ++generations_[index];
  --size_;
}

Connection* ConnectionTable::find(drover_conn handle) const {
  const std::uint64_t number = handle & 0xffff'ffff;
  if (number == 0 || number > used_) return nullptr;
  const auto index = static_cast<std::uint32_t>(number - 1);
  return generations_[index] == handle >> 32 ? connections_[index] : nullptr;
}

}  // namespace drover

// The store in its zone: made by the first worker that comes, attached to by all.
#pragma once

#include <memory>
#include <string>

#include "modules/kvs/store/store.h"
#include "modules/sdk/module.hpp"

namespace kvs {

class ZoneStore {
 public:
  // Of an instance that starts; throws what is to be told to whoever starts it.
  ZoneStore(const drover::Host& host, const std::string& zone, const Settings& settings);

  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] const drover::ZoneMemory& zone() const { return zone_; }

 private:
  drover::ZoneMemory zone_;
  std::unique_ptr<Store> store_;
};

}  // namespace kvs

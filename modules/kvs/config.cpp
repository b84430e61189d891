#include "modules/kvs/config.h"

#include <stdexcept>

#include "modules/kvs/kv1/meta.h"

namespace kvs {

Config read_config(const drover::Config& config) {
  Config read;
  read.zone = config.text("zone");
  read.limits.frame = {static_cast<std::uint32_t>(config.size("max_key")),
                       static_cast<std::uint32_t>(config.size("max_value"))};
  read.limits.inflight = static_cast<std::size_t>(config.number("max_inflight"));
  read.limits.output_bytes = config.size("max_output");
  read.limits.memory_bytes = config.size("memory_budget");
  read.limits.frame_timeout = config.duration("frame_timeout");
  read.match = config.choice<Match>("match");
  read.store.eviction = config.choice<Eviction>("eviction");
  read.token = config.text("auth");
  return read;
}

void check_config(const Config& config) {
  const std::size_t largest = std::size_t{config.limits.frame.key_bytes} +
                              config.limits.frame.value_bytes + kv1::kMetaBytes;
  if (config.limits.memory_bytes >= largest) return;
  throw std::runtime_error("kvs.memory_budget: " + std::to_string(config.limits.memory_bytes) +
                           " bytes are less than one SETM of kvs.max_key and kvs.max_value: at "
                           "least " +
                           std::to_string(largest) + " are needed");
}

}  // namespace kvs

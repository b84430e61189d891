#include "modules/kvs/zone_store.h"

#include <stdexcept>

namespace kvs {
namespace {

// For all workers of all generations that may live at a time, with several servers each. They are
// some permille of the memory, or there are fewer.
std::uint32_t readers_for(std::size_t zone_size) {
  constexpr std::size_t kLarge = std::size_t{16} << 20;
  return zone_size >= kLarge ? 2048 : 256;
}

std::runtime_error refusal(const std::string& zone, Attached why) {
  return std::runtime_error("kvs.zone: zone " + zone + ": " + to_string(why));
}

drover::ZoneMemory claim(const drover::Host& host, const std::string& zone) {
  Attached created = Attached::kAttached;
  const auto create = [&created](std::span<std::byte> memory) {
    created = Store::create(memory, {.readers = readers_for(memory.size())});
    return created == Attached::kAttached;
  };
  try {
    return host.zone_memory(zone.c_str(), kLayoutVersion, 0, create);
  } catch (const drover::ZoneRefused&) {
    if (created != Attached::kAttached) throw refusal(zone, created);
    throw;
  }
}

std::unique_ptr<Store> attach(const drover::ZoneMemory& memory, const std::string& zone,
                              const Settings& settings) {
  Opened opened = Store::attach(memory.bytes(), settings);
  if (opened.result != Attached::kAttached) throw refusal(zone, opened.result);
  return std::move(opened.store);
}

}  // namespace

ZoneStore::ZoneStore(const drover::Host& host, const std::string& zone, const Settings& settings)
    : zone_(claim(host, zone)), store_(attach(zone_, zone, settings)) {}

}  // namespace kvs

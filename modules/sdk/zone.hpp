// A zone in C++: a type at the beginning of the memory that all workers of a module share. Included
// by module.hpp; asked for with Host::zone.
//
//   struct Shared { std::atomic<std::uint64_t> hits{0}; };
//   ... in the constructor: zone_(host.zone<Shared>("hits", 1)), then: ++zone_->hits;
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <span>
#include <type_traits>

#include "drover_module.h"

namespace drover {

// A zone was refused: why is in the log, and is what the worker says when it does not start.
struct ZoneRefused : std::exception {
  explicit ZoneRefused(drover_zone_result why) : result(why) {}
  [[nodiscard]] const char* what() const noexcept override { return "zone refused"; }
  drover_zone_result result;
};

// A zone as bytes that all workers share: see drover_zone for what that asks of them. A value;
// valid until the instance is destroyed.
class ZoneMemory {
 public:
  // Host::zone_memory.
  template <class Initialise>
  ZoneMemory(const drover_host* host, drover_context* context, const char* name,
             std::uint64_t version, std::uint64_t type_sizes, Initialise initialise)
      : host_(host), context_(context) {
    const drover_zone_layout layout{.size = sizeof layout,
                                    .version = version,
                                    .type_sizes = type_sizes,
                                    .initialise = &call<Initialise>,
                                    .argument = &initialise};
    const drover_zone_result result = host->zone(context, name, &layout, &zone_);
    if (result != DROVER_ZONE_GRANTED) throw ZoneRefused(result);
  }

  [[nodiscard]] std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(zone_.memory), zone_.memory_size};
  }
  // Of GCC and Clang, because C++20 has no std::atomic_ref of what is const.
  [[nodiscard]] std::uint64_t unclean_ends() const {
    return __atomic_load_n(zone_.unclean_ends, __ATOMIC_ACQUIRE);
  }
  // The leases of the zone, by number; true: held from now on for so long.
  [[nodiscard]] bool take(std::uint32_t lease, std::chrono::milliseconds length) const {
    return host_->lease_take(context_, &zone_, lease, in_milliseconds(length)) != 0;
  }
  [[nodiscard]] bool keep(std::uint32_t lease, std::chrono::milliseconds length) const {
    return host_->lease_keep(context_, &zone_, lease, in_milliseconds(length)) != 0;
  }
  void give_back(std::uint32_t lease) const { host_->lease_give_back(context_, &zone_, lease); }

 private:
  template <class Initialise>
  static int call(void* initialise, void* memory, std::size_t size) noexcept {
    try {
      const std::span bytes(static_cast<std::byte*>(memory), size);
      return (*static_cast<Initialise*>(initialise))(bytes) ? 0 : 1;
    } catch (...) {
      return 1;
    }
  }
  // What does not fit is refused, like all that is out of range.
  static std::uint32_t in_milliseconds(std::chrono::milliseconds length) {
    const bool fits = length.count() >= 0 && length.count() <= DROVER_LONGEST_LEASE;
    return fits ? static_cast<std::uint32_t>(length.count()) : 0;
  }

  const drover_host* host_;
  drover_context* context_;
  drover_zone zone_{
      .size = sizeof(drover_zone), .memory = nullptr, .memory_size = 0, .unclean_ends = nullptr};
};

// A zone that begins with a T.
template <class T>
class Zone : public ZoneMemory {
 public:
  // Host::zone.
  Zone(const drover_host* host, drover_context* context, const char* name, std::uint64_t version)
      : ZoneMemory(host, context, name, version, sizeof(T), &build) {
    static_assert(std::is_trivially_destructible_v<T>, "nobody destroys what lies in a zone");
    static_assert(alignof(T) <= 4096, "T is aligned too strictly");
  }

  T* operator->() const { return &**this; }
  T& operator*() const { return *std::launder(reinterpret_cast<T*>(bytes().data())); }
  // What follows the T.
  [[nodiscard]] std::span<std::byte> rest() const { return bytes().subspan(sizeof(T)); }

 private:
  static bool build(std::span<std::byte> memory) {
    if (memory.size() < sizeof(T)) return false;
    new (memory.data()) T;
    return true;
  }
};

}  // namespace drover

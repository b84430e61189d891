// The C functions for the helpers of a module in C++: of its member class Helper, if it has one.
// Included by module.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "drover_module.h"
#include "guard.hpp"

namespace drover::detail {

template <class T>
struct HelperHooks {
  static constexpr decltype(drover_module::helper_init) kInit = nullptr;
  static constexpr decltype(drover_module::helper_exit) kExit = nullptr;
  static constexpr decltype(drover_module::on_helper_timer) kOnTimer = nullptr;
  static constexpr decltype(drover_module::on_helper_doorbell) kOnDoorbell = nullptr;
};

template <class T>
requires requires { typename T::Helper; }
struct HelperHooks<T> {
 private:
  using Helper = typename T::Helper;
  using Instance = Guarded<Helper>;
  static constexpr bool kHasTimer = requires(Helper & h) { h.on_timer(std::uint64_t{}); };
  static constexpr bool kHasDoorbell = requires(Helper & h) { h.on_doorbell(); };

  static Instance& instance_of(void* helper) { return *static_cast<Instance*>(helper); }

  static void* init(const drover_host* host, drover_context* context, const char* name) noexcept {
    std::unique_ptr<Instance> instance;
    accepted(host, context,
             [&] { instance = std::make_unique<Instance>(host, context, std::string_view(name)); });
    return instance.release();
  }
  static void exit(void* helper) noexcept { delete &instance_of(helper); }
  static void on_timer(void* helper, std::uint64_t tag) noexcept {
    if constexpr (kHasTimer) {
      run_guarded(instance_of(helper), [&](Helper& module) { module.on_timer(tag); });
    }
  }
  static void on_doorbell(void* helper) noexcept {
    if constexpr (kHasDoorbell) {
      run_guarded(instance_of(helper), [](Helper& module) { module.on_doorbell(); });
    }
  }

 public:
  static constexpr auto kInit = &init;
  static constexpr auto kExit = &exit;
  static constexpr auto kOnTimer = kHasTimer ? &on_timer : nullptr;
  static constexpr auto kOnDoorbell = kHasDoorbell ? &on_doorbell : nullptr;
};

}  // namespace drover::detail

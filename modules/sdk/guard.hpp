// What the C++ layer does around a module's code: builds its objects, and lets no exception pass
// the edge. Included by module.hpp.
#pragma once

#include <chrono>
#include <exception>
#include <string>
#include <type_traits>

#include "drover_module.h"
#include "host.hpp"

namespace drover::detail {

// A T by the longest constructor that it has: (Host, Config, more), (Host, Config), (Host).
template <class T, class... More>
T make(const Host& host, const Config& config, const More&... more) {
  if constexpr (sizeof...(More) > 0 && std::is_constructible_v<T, Host, Config, More...>) {
    return T(host, config, more...);
  } else if constexpr (std::is_constructible_v<T, Host, Config>) {
    return T(host, config);
  } else {
    return T(host);
  }
}

// An instance of a module, or a helper.
template <class T>
struct Guarded {
  template <class... More>
  Guarded(const drover_host* host_table, drover_context* context, const More&... more)
      : host(host_table, context), module(make<T>(host, Config(host_table, context), more...)) {}
  Host host;
  T module;
  std::chrono::steady_clock::time_point last_complaint{};
};

template <class T>
void complain(Guarded<T>& instance, const char* what) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (now - instance.last_complaint < std::chrono::seconds(1)) return;
  instance.last_complaint = now;
  try {
    instance.host.log(DROVER_LOG_ERROR, std::string("exception: ") + what);
  } catch (...) {  // no memory for the line: what was to end still ends
  }
}

// Runs a hook; false when it threw.
template <class T, class Call>
bool run_guarded(Guarded<T>& instance, Call call) noexcept {
  try {
    call(instance.module);
    return true;
  } catch (const std::exception& error) {
    complain(instance, error.what());
  } catch (...) {
    complain(instance, "not a std::exception");
  }
  return false;
}

// Runs what may refuse by throwing, and logs why; false when it threw.
template <class Call>
bool accepted(const drover_host* host, drover_context* context, Call call) noexcept {
  try {
    call();
    return true;
  } catch (const ZoneRefused&) {  // the reason has been told
  } catch (const HelperRefused&) {
  } catch (const std::exception& error) {
    host->log(context, DROVER_LOG_ERROR, error.what());
  } catch (...) {
    host->log(context, DROVER_LOG_ERROR, "threw what is not a std::exception");
  }
  return false;
}

}  // namespace drover::detail

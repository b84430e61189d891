// The C++20 layer over drover_module.h: a class with the hooks it wants, and one line.
//
//   class Echo {
//    public:
//     explicit Echo(drover::Host host) : host_(host) {}
//     void on_data(drover_conn conn, std::string_view bytes) { host_.write(conn, bytes); }
//    private:
//     drover::Host host_;
//   };
//   DROVER_MODULE(Echo, "echo");
//
// An instance is one server in one worker. Hooks, all optional: on_open(conn), on_data(conn,
// bytes), on_eof(conn), on_writable(conn), on_timer(conn), on_drain(conn), on_close(conn, reason);
// and of the instance: on_worker_timer(tag), on_doorbell(), on_batch_end(), on_connect_failed(tag,
// error). on_data returns how many bytes it consumed (std::size_t) or nothing: all. A class with a
// member type `State` gets one for each connection, as the second argument of its hooks:
// on_data(conn, state, bytes). The constructor takes drover::Host, or (drover::Host,
// drover::Config); when it throws the worker does not start, and says why.
//
// A class with directives of its own has an array of rows, and may check what they cannot say:
//
//     static constexpr drover::Directive kDirectives[] = {
//         {.name = "greeting", .type = DROVER_TEXT, .default_text = "hello", .help = "said first"},
//         {.name = "limit", .type = DROVER_NUMBER, .min = 1, .max = 99, .help = "lines to take"}};
//     static void validate(drover::Host host, drover::Config config);  // throws to refuse
//
// What it counts for `drover -s status` has rows, too, named by their place:
//
//     enum : std::uint32_t { kLines, kOpen };
//     static constexpr drover::Metric kMetrics[] = {
//         {.name = "lines", .kind = DROVER_COUNTER, .help = "lines that were answered"},
//         {.name = "open", .kind = DROVER_GAUGE, .help = "clients that wait"}};
//     ... host_.count(kLines); host_.gauge(kOpen, 3);
//
// A class whose connections may be moved says so with (see freeze in drover_module.h)
//
//     static constexpr std::uint64_t kFreezeVersion = 1;
//     std::optional<std::string> freeze(conn);  // no value: not now
//     bool thaw(conn, version, blob);           // false: cannot
//
// A class with helpers has a member class Helper, built as the class is, or with (drover::Host,
// drover::Config, std::string_view name); hooks, optional: on_timer(tag), on_doorbell(). Its
// destructor does what is to be done last. Which there are `validate` says:
// host.want_helper("writer").
//
// No exception passes the edge: a hook that throws costs its connection, with a line in the log at
// most once a second.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "drover_module.h"
#include "guard.hpp"
#include "helper.hpp"
#include "host.hpp"

namespace drover {
namespace detail {

// An array of C++ rows as one of C rows.
template <class CRow, class Row, std::size_t kCount>
constexpr auto c_rows(const Row (&rows)[kCount]) {
  std::array<CRow, kCount> made{};
  std::ranges::transform(rows, made.begin(), &Row::row);
  return made;
}

template <class T>
constexpr auto directive_rows() {
  if constexpr (requires { T::kDirectives; }) {
    return c_rows<drover_directive>(T::kDirectives);
  } else {
    return std::array<drover_directive, 0>{};
  }
}

template <class T>
constexpr auto metric_rows() {
  if constexpr (requires { T::kMetrics; }) {
    return c_rows<drover_metric>(T::kMetrics);
  } else {
    return std::array<drover_metric, 0>{};
  }
}

// The C functions for class T; S is empty, or the type of its connections' state. A null entry in
// the table is a hook that the class does not have.
template <class T, class... S>
class Glue {
 public:
  static constexpr struct drover_module table(const char* name, const char* version) {
    static_assert(kHasOpen || kHasData,
                  "a module needs on_data or on_open with the right arguments");
    return {.size = sizeof(struct drover_module),
            .abi = DROVER_ABI,
            .name = name,
            .version = version,
            .conn_state_size = (std::size_t{0} + ... + sizeof(S)),
            .worker_init = &worker_init,
            .worker_exit = &worker_exit,
            .on_open = kHasOpen || kHasState ? &on_open : nullptr,
            .on_data = kHasData ? &on_data : nullptr,
            .on_eof = kHasEof ? &on_eof : nullptr,
            .on_writable = kHasWritable ? &on_writable : nullptr,
            .on_drain = kHasDrain ? &on_drain : nullptr,
            .on_close = kHasClose || kHasState ? &on_close : nullptr,
            .on_timer = kHasTimer ? &on_timer : nullptr,
            .on_worker_timer = kHasWorkerTimer ? &on_worker_timer : nullptr,
            .on_batch_end = kHasBatchEnd ? &on_batch_end : nullptr,
            .on_connect_failed = kHasConnectFailed ? &on_connect_failed : nullptr,
            .directives = kRows.data(),
            .directive_count = kRows.size(),
            .validate = kHasValidate ? &validate : nullptr,
            .on_doorbell = kHasDoorbell ? &on_doorbell : nullptr,
            .metrics = kCounted.data(),
            .metric_count = kCounted.size(),
            .freeze_version = freeze_version(),
            .freeze = kHasFreeze ? &freeze : nullptr,
            .thaw = kHasFreeze ? &thaw : nullptr,
            .helper_init = HelperHooks<T>::kInit,
            .helper_exit = HelperHooks<T>::kExit,
            .on_helper_timer = HelperHooks<T>::kOnTimer,
            .on_helper_doorbell = HelperHooks<T>::kOnDoorbell};
  }

 private:
  using Instance = Guarded<T>;

  static constexpr bool kHasState = sizeof...(S) > 0;
  static_assert((std::is_nothrow_default_constructible_v<S> && ...), "State() must be noexcept");
  static_assert(((alignof(S) <= alignof(std::max_align_t)) && ...),
                "State is aligned too strictly");

  static constexpr bool kHasOpen = requires(T & m, drover_conn c, S&... s) { m.on_open(c, s...); };
  static constexpr bool kHasData = requires(T & m, drover_conn c, S&... s, std::string_view b) {
    m.on_data(c, s..., b);
  };
  static constexpr bool kHasEof = requires(T & m, drover_conn c, S&... s) { m.on_eof(c, s...); };
  static constexpr bool kHasWritable = requires(T & m, drover_conn c, S&... s) {
    m.on_writable(c, s...);
  };
  static constexpr bool kHasDrain = requires(T & m, drover_conn c, S&... s) {
    m.on_drain(c, s...);
  };
  static constexpr bool kHasClose = requires(T & m, drover_conn c, S&... s, drover_close_reason r) {
    m.on_close(c, s..., r);
  };
  static constexpr bool kHasDoorbell = requires(T & m) { m.on_doorbell(); };

  static constexpr bool kHasTimer = requires(T & m, drover_conn c, S&... s) {
    m.on_timer(c, s...);
  };
  static constexpr bool kHasWorkerTimer = requires(T & m) { m.on_worker_timer(std::uint64_t{}); };
  static constexpr bool kHasBatchEnd = requires(T & m) { m.on_batch_end(); };
  static constexpr bool kHasConnectFailed = requires(T & m) {
    m.on_connect_failed(std::uint64_t{}, 0);
  };
  static constexpr bool kHasValidate = requires(Host h, Config c) { T::validate(h, c); };
  static constexpr bool kHasFreeze = requires(T & m, drover_conn c, S&... s) { m.freeze(c, s...); };
  static constexpr bool kHasThaw = requires(T & m, drover_conn c, S&... s, std::string_view b) {
    m.thaw(c, s..., std::uint64_t{}, b);
  };
  static_assert(kHasFreeze == kHasThaw, "freeze and thaw go together");
  static constexpr std::uint64_t freeze_version() {
    if constexpr (kHasFreeze) return T::kFreezeVersion;
    return 0;
  }
  static constexpr auto kRows = directive_rows<T>();
  static constexpr auto kCounted = metric_rows<T>();

  static Instance& instance_of(void* instance) { return *static_cast<Instance*>(instance); }
  template <class State>
  static State& as(void* state) {
    return *std::launder(static_cast<State*>(state));
  }

  // Runs a hook; false when it threw.
  template <class Call>
  static bool guarded(Instance& instance, Call call) noexcept {
    return run_guarded(instance, call);
  }

  static void* worker_init(const drover_host* host, drover_context* context) noexcept {
    std::unique_ptr<Instance> instance;
    accepted(host, context, [&] { instance = std::make_unique<Instance>(host, context); });
    return instance.release();
  }

  static int validate(const drover_host* host, drover_context* context) noexcept {
    bool is_valid = true;
    if constexpr (kHasValidate) {
      is_valid =
          accepted(host, context, [&] { T::validate(Host(host, context), Config(host, context)); });
    }
    return is_valid ? 0 : 1;
  }

  static void worker_exit(void* instance) noexcept { delete &instance_of(instance); }

  // The same for the hooks that have no answer: their connection is closed.
  template <class Call>
  static void guarded(void* raw, drover_conn conn, Call call) noexcept {
    Instance& instance = instance_of(raw);
    if (!guarded(instance, call)) instance.host.close(conn);
  }

  static void on_open(void* raw, drover_conn conn, void* state) noexcept {
    (new (state) S, ...);
    if constexpr (kHasOpen) {
      guarded(raw, conn, [&](T& module) { module.on_open(conn, as<S>(state)...); });
    }
  }

  static std::int64_t on_data(void* raw, drover_conn conn, void* state,
                              drover_slice slice) noexcept {
    std::size_t consumed = slice.size;
    if constexpr (kHasData) {
      const std::string_view bytes(static_cast<const char*>(slice.data), slice.size);
      const auto hook = [&](T& module) {
        if constexpr (std::is_void_v<decltype(module.on_data(conn, as<S>(state)..., bytes))>) {
          module.on_data(conn, as<S>(state)..., bytes);
        } else {
          consumed = module.on_data(conn, as<S>(state)..., bytes);
        }
      };
      if (!guarded(instance_of(raw), hook)) return DROVER_FAIL;
    }
    return static_cast<std::int64_t>(consumed);
  }

  static void on_eof(void* raw, drover_conn conn, void* state) noexcept {
    if constexpr (kHasEof) {
      guarded(raw, conn, [&](T& module) { module.on_eof(conn, as<S>(state)...); });
    }
  }

  static void on_writable(void* raw, drover_conn conn, void* state) noexcept {
    if constexpr (kHasWritable) {
      guarded(raw, conn, [&](T& module) { module.on_writable(conn, as<S>(state)...); });
    }
  }

  static void on_drain(void* raw, drover_conn conn, void* state) noexcept {
    if constexpr (kHasDrain) {
      guarded(raw, conn, [&](T& module) { module.on_drain(conn, as<S>(state)...); });
    }
  }

  static void on_close(void* raw, drover_conn conn, void* state,
                       drover_close_reason reason) noexcept {
    if constexpr (kHasClose) {
      guarded(instance_of(raw), [&](T& module) { module.on_close(conn, as<S>(state)..., reason); });
    }
    (std::destroy_at(&as<S>(state)), ...);
  }

  static std::int64_t freeze(void* raw, drover_conn conn, void* state, void* buffer,
                             std::size_t capacity) noexcept {
    std::optional<std::string> blob;
    if constexpr (kHasFreeze) {
      const bool went_well = guarded(
          instance_of(raw), [&](T& module) { blob = module.freeze(conn, as<S>(state)...); });
      if (!went_well) return DROVER_NOT_NOW;
    }
    if (!blob) return DROVER_NOT_NOW;
    blob->copy(static_cast<char*>(buffer), capacity);  // as much as there is room for
    return static_cast<std::int64_t>(blob->size());
  }

  static int thaw(void* raw, drover_conn conn, void* state, std::uint64_t version,
                  drover_slice slice) noexcept {
    (new (state) S, ...);
    bool is_taken = false;
    if constexpr (kHasFreeze) {
      const std::string_view blob(static_cast<const char*>(slice.data), slice.size);
      const bool went_well = guarded(instance_of(raw), [&](T& module) {
        is_taken = module.thaw(conn, as<S>(state)..., version, blob);
      });
      is_taken = is_taken && went_well;
    }
    if (!is_taken) (std::destroy_at(&as<S>(state)), ...);
    return is_taken ? 1 : 0;
  }

  static void on_timer(void* raw, drover_conn conn, void* state) noexcept {
    if constexpr (kHasTimer) {
      guarded(raw, conn, [&](T& module) { module.on_timer(conn, as<S>(state)...); });
    }
  }

  static void on_worker_timer(void* raw, std::uint64_t tag) noexcept {
    if constexpr (kHasWorkerTimer) {
      guarded(instance_of(raw), [&](T& module) { module.on_worker_timer(tag); });
    }
  }

  static void on_batch_end(void* raw) noexcept {
    if constexpr (kHasBatchEnd) {
      guarded(instance_of(raw), [&](T& module) { module.on_batch_end(); });
    }
  }

  static void on_connect_failed(void* raw, std::uint64_t tag, int error) noexcept {
    if constexpr (kHasConnectFailed) {
      guarded(instance_of(raw), [&](T& module) { module.on_connect_failed(tag, error); });
    }
  }

  static void on_doorbell(void* raw) noexcept {
    if constexpr (kHasDoorbell) {
      guarded(instance_of(raw), [](T& module) { module.on_doorbell(); });
    }
  }
};

template <class T>
constexpr struct drover_module make_module(const char* name, const char* version = "0") {
  if constexpr (requires { typename T::State; }) {
    return Glue<T, typename T::State>::table(name, version);
  } else {
    return Glue<T>::table(name, version);
  }
}

}  // namespace detail
}  // namespace drover

// Ends a module's source: DROVER_MODULE(Class, "name") or DROVER_MODULE(Class, "name", "1.2.3").
#define DROVER_MODULE(Class, ...)                       \
  extern "C" const struct drover_module drover_module = \
      drover::detail::make_module<Class>(__VA_ARGS__)

// The directives of [drover].
#include "common/directives.h"

namespace drover {
namespace {

using Rows = std::vector<Directive<Settings>>;
using namespace std::chrono_literals;

constexpr std::int64_t kMostConnections = 10'000'000;
constexpr std::int64_t kMostCrashes = 10'000;
constexpr std::int64_t kMostDescriptors = 1 << 30;  // the kernel's ceiling for fs.nr_open

void append(Rows& rows, Rows more) {
  for (Directive<Settings>& row : more) rows.push_back(std::move(row));
}

// A name is looked up in module_dir; what has a slash is a path.
std::string resolve_module(const std::string& module, const std::string& prefix) {
  return module.find('/') == std::string::npos ? module : resolve_path(module, prefix);
}

Directive<Settings> load_row() {
  return repeated<Settings>(
      "load", "module", "a name in module_dir, or a path",
      [](Settings& settings, const std::string& text, const ValueContext& context) -> Status {
        DROVER_TRY(const std::string module, parse_word(text));
        const std::string resolved = resolve_module(module, context.prefix);
        for (const std::string& other : settings.load) {
          if (other == resolved) return Error(quote(text) + " is loaded twice; remove one line");
        }
        settings.load.push_back(resolved);
        return Done{};
      },
      [](const Settings& settings) {
        std::vector<NamedValue> lines;
        for (const std::string& module : settings.load) lines.push_back({"load", module});
        return lines;
      },
      "protocol module to load");
}

Directive<Settings> include_row() {
  return repeated<Settings>(
      kIncludeDirective, "glob", "a path, may have * ? and [ ]",
      [](Settings&, const std::string&, const ValueContext&) -> Status { return Done{}; },
      [](const Settings&) { return std::vector<NamedValue>{}; },
      "read the files that match, in the order of their names, as if they stood here");
}

Directive<Settings> error_log_row() {
  return custom(
      "error_log", "log", "stderr, syslog or a path, then a level, or auto", &Settings::error_log,
      [](const std::string& text, const ValueContext& context) -> Result<std::optional<LogTarget>> {
        if (text == "auto") return std::optional<LogTarget>{};
        DROVER_TRY(LogTarget target, parse_log_target(text, context.prefix));
        return std::optional<LogTarget>(std::move(target));
      },
      [](const std::optional<LogTarget>& target) {
        return target ? print_log_target(*target) : "auto";
      },
      "where errors are written and from which level");
}

Directive<Settings> cpu_affinity_row() {
  return custom(
      "cpu_affinity", "cpus", "off, auto, or CPUs such as 0-3,8", &Settings::cpu_affinity,
      [](const std::string& text, const ValueContext&) { return parse_cpu_affinity(text); },
      print_cpu_affinity, "CPU that each worker is bound to");
}

Rows identity_rows() {
  return {word("user", &Settings::user, "none", "user of the workers, only when started as root"),
          word("group", &Settings::group, "auto", "group of the workers, the user's when auto")};
}

Rows capacity_rows() {
  return {
      number("workers", &Settings::workers, {.min = 1, .max = kMaxSlots, .zero_word = "auto"},
             "worker processes, as many as CPUs may be used when auto"),
      number("worker_connections", &Settings::worker_connections,
             {.min = 1, .max = kMostConnections, .zero_word = "auto"},
             "connections of one worker, as many as its descriptors allow when auto"),
      number("worker_streams", &Settings::worker_streams, {.min = 0, .max = kMostConnections},
             "connections of one worker that modules carry inside of others"),
      number("rlimit_nofile", &Settings::rlimit_nofile,
             {.min = 64, .max = kMostDescriptors, .zero_word = "inherit"},
             "descriptors that each process may open"),
      cpu_affinity_row(),
  };
}

Rows file_rows() {
  return {
      error_log_row(),
      path("pid", &Settings::pid, "none", "file for the master's process id"),
      path("control", &Settings::control, "none", "socket that drover -s talks to"),
      path("working_directory", &Settings::working_directory, "none",
           "directory to change to at start, where core files go"),
      path("module_dir", &Settings::module_dir, "auto", "directory of the modules named by load"),
      load_row(),
      include_row(),
  };
}

Rows recovery_rows() {
  return {
      number("max_crashes", &Settings::max_crashes, {.min = 0, .max = kMostCrashes},
             "crashes and hangs of a module before its servers are taken out of service, 0 for any "
             "number"),
      duration("max_crashes_window", &Settings::max_crashes_window, {.min = 1s, .max = 24h},
               "time within which crashes and hangs count for max_crashes"),
      duration("rollback_window", &Settings::rollback_window, {.min = 0ms, .max = 24h},
               "time after a reload or upgrade in which crashes take it back, 0 for never"),
      number("rollback_crashes", &Settings::rollback_crashes, {.min = 0, .max = kMostCrashes},
             "workers that may crash in rollback_window before it is taken back"),
  };
}

Rows time_rows() {
  return {
      duration("ready_timeout", &Settings::ready_timeout, {.min = 10ms, .max = 1h},
               "time a new worker has to become ready"),
      duration("worker_shutdown_timeout", &Settings::worker_shutdown_timeout,
               {.min = 0ms, .max = 720h}, "time connections have to end while their worker drains"),
      number("max_draining", &Settings::max_draining, {.min = 1, .max = 16},
             "generations that may drain at once, the oldest is cut beyond"),
      duration("steer_after", &Settings::steer_after, {.min = 300ms, .max = 1h},
               "silence of a worker after which new connections go to others"),
      duration("steer_linger", &Settings::steer_linger, {.min = 0ms, .max = 1h},
               "time for half-open connections before a surplus reuseport socket is closed"),
      duration("hang_timeout", &Settings::hang_timeout, {.min = 500ms, .max = 24h},
               "silence of a worker after which it is killed and replaced"),
  };
}

}  // namespace

const Rows& drover_directives() {
  static const Rows kRows = [] {
    Rows rows = identity_rows();
    append(rows, capacity_rows());
    append(rows, file_rows());
    append(rows, time_rows());
    append(rows, recovery_rows());
    return rows;
  }();
  return kRows;
}

}  // namespace drover

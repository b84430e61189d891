// What `-s status --json` says, as values. A field that is missing is an error: scripts rely on the
// names.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drover::test {

struct Counters {
  std::int64_t accepted = 0;
  std::int64_t empty_wakeups = 0;
  std::int64_t steered = 0;
  std::int64_t outgoing = 0;
  std::int64_t closed = 0;
  std::int64_t streams_opened = 0;
  std::int64_t refused_limit = 0;
  std::int64_t refused_access = 0;
  std::int64_t accept_pauses = 0;
  std::int64_t drained_cut = 0;
  std::int64_t stale_handles = 0;
  std::int64_t bytes_in = 0;
  std::int64_t bytes_out = 0;
};

// How a process ended that should not have.
struct CrashStatus {
  std::string time;
  std::int64_t age_ms = 0;
  pid_t pid = 0;
  std::string signal;  // empty: it exited
  std::string how;
  std::string module;  // empty: none
  std::string address;
  std::vector<std::string> backtrace;
};

struct WorkerStatus {
  int slot = 0;
  pid_t pid = 0;
  std::string state;  // starting ready draining backoff
  std::int64_t live = 0;
  std::int64_t streams = 0;
  Counters counters;
  std::int64_t uptime_ms = 0;
  std::int64_t restarts = 0;
  std::optional<CrashStatus> last_crash;
  std::int64_t turns = 0;
  std::int64_t loop_max_us = 0;
  std::int64_t loop_p99_us = 0;
  std::int64_t heartbeat_age_ms = 0;
};

struct AcceptorStatus {
  pid_t pid = 0;
  std::string state;
  std::int64_t uptime_ms = 0;
  std::int64_t held = 0;
  Counters counters;
  std::int64_t restarts = 0;
  std::optional<CrashStatus> last_crash;
  std::int64_t heartbeat_age_ms = 0;
};

struct HelperStatus {
  std::string server;
  std::string name;
  pid_t pid = 0;
  std::string state;  // starting ready draining backoff
  std::int64_t uptime_ms = 0;
  std::int64_t restarts = 0;
  std::optional<CrashStatus> last_crash;
  std::int64_t heartbeat_age_ms = 0;
};

struct GenerationStatus {
  std::uint32_t number = 0;
  std::string state;  // serving draining starting
  double balance = 0;
  std::vector<WorkerStatus> workers;
  std::optional<AcceptorStatus> acceptor;
  std::vector<HelperStatus> helpers;
};

struct ServerStatus {
  std::string name;
  std::string accept;
  std::vector<std::string> listen;
  std::int64_t connections = 0;
  std::map<std::string, std::int64_t> metrics;  // what its module counts
};

struct ListenerStatus {
  struct Socket {
    std::uint32_t id = 0;
    bool is_surplus = false;
    std::int64_t queued = -1;  // -1: not known
    std::int64_t backlog = -1;
  };
  std::string address;
  std::string server;           // empty: none that serves
  std::int64_t half_open = -1;  // -1: not known
  std::vector<Socket> sockets;
};

struct ZoneStatus {
  std::string name;
  std::int64_t size = 0;
  std::string state;  // fresh initialising ready damaged
  std::string owner;  // a module; empty: nobody
  std::uint64_t layout = 0;
  std::int64_t unclean_ends = 0;
  std::vector<std::uint32_t> generations;
};

struct ModuleStatus {
  std::string name;
  std::int64_t crashes = 0;
  std::int64_t hangs = 0;
  bool quarantined = false;
};

struct RollbackStatus {
  std::int64_t window_left_ms = 0;
  std::uint32_t former = 0;      // where a return leads to; 0: there is no window
  std::uint32_t taken_back = 0;  // for the one that serves; 0: none
};

struct DaemonStatus {
  pid_t pid = 0;
  std::string version;
  std::int64_t uptime_ms = 0;
  std::vector<GenerationStatus> generations;
  double balance = 0;  // max/mean of accepted over the serving generation's workers
  std::vector<ServerStatus> servers;
  std::vector<ListenerStatus> listeners;
  std::vector<ZoneStatus> zones;
  std::vector<ModuleStatus> modules;
  RollbackStatus rollback;
  Counters totals;  // survive respawns and reloads

  // Throws when the server does not count it.
  [[nodiscard]] std::int64_t metric(std::string_view server, const std::string& name) const;
  // Throws when nobody listens there.
  [[nodiscard]] const ListenerStatus& listener(std::string_view address) const;
  // Throws when no server names it.
  [[nodiscard]] const ModuleStatus& module(std::string_view name) const;
  // The generation that takes new connections, or null.
  [[nodiscard]] const GenerationStatus* serving() const;
  [[nodiscard]] std::int64_t live() const;  // connections over all generations
};

// Empty when the text is not such a document; `why` then says what is wrong.
[[nodiscard]] std::optional<DaemonStatus> parse_status(std::string_view json,
                                                       std::string* why = nullptr);

}  // namespace drover::test

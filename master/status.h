// What `drover -s status` says, as plain values: status_source.cpp takes them from the generations
// and the scoreboard, status_json.cpp and status_table.cpp write them for programs and for people.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/zone.h"
#include "master/generation.h"
#include "master/metric_sums.h"
#include "master/predecessors.h"
#include "master/recovery.h"
#include "master/socket_queues.h"
#include "master/totals.h"

namespace drover {

// A post and the process that fills it.
struct ProcessStatus {
  pid_t pid = 0;  // 0: none, it waits to be started
  std::string state;
  Millis uptime{0};
  Millis heartbeat_age{0};
  int restarts = 0;
  std::optional<Crash> last_crash;
};

// Counters are of all processes that the slot had in this generation, `live` and `streams` of those
// that live, the rest of the one that fills it.
struct WorkerStatus {
  int slot = 0;
  ProcessStatus process;
  std::uint64_t live = 0;
  std::uint64_t streams = 0;
  Totals counters;
  std::uint64_t turns = 0;
  std::uint32_t loop_max_us = 0;
  std::uint32_t loop_p99_us = 0;
};

struct AcceptorStatus {
  ProcessStatus process;
  std::uint64_t held = 0;  // accepted and not passed on yet
  Totals counters;
};

struct HelperStatus {
  std::string server;
  std::string name;
  ProcessStatus process;
};

struct GenerationStatus {
  std::uint32_t number = 0;
  std::string state;
  double balance = 0;
  std::vector<WorkerStatus> workers;
  std::optional<AcceptorStatus> acceptor;
  std::vector<HelperStatus> helpers;
};

struct MetricStatus {
  std::string name;
  std::string kind;
  std::string value;  // a number
  std::string help;
};

struct ServerStatus {
  std::string name;
  std::string accept;
  std::string protocol;
  std::vector<std::string> listens;
  std::uint64_t connections = 0;
  std::vector<MetricStatus> metrics;
};

// A group of listening sockets.
struct ListenerStatus {
  struct Member {
    std::uint32_t id = 0;
    bool is_surplus = false;
    std::optional<AcceptQueueLength> queue;  // nothing: not known
  };
  std::string address;
  std::string server;                      // empty: of none that serves
  std::optional<std::uint32_t> half_open;  // nothing: not known, or there is no such thing
  std::vector<Member> members;
};

struct ZoneStatus {
  std::string name;
  std::int64_t size_bytes = 0;
  std::string state;
  std::optional<ZoneOwner> owner;
  std::uint64_t unclean_ends = 0;
  std::vector<std::uint32_t> generations;
};

struct ModuleStatus {
  std::string name;
  Recovery::Record record;
};

struct RollbackStatus {
  Millis window_left{0};
  std::uint32_t former = 0;      // the generation that a return leads to; 0: there is no way back
  std::uint32_t taken_back = 0;  // the one that was taken back for the one that serves; 0: none
};

struct StatusReport {
  int pid = 0;
  Millis uptime{0};
  Millis now{0};  // of the monotonic clock
  double balance = 0;
  std::vector<GenerationStatus> generations;  // the serving one first
  std::vector<ServerStatus> servers;          // of the serving one
  std::vector<ListenerStatus> listeners;
  std::vector<ZoneStatus> zones;
  std::vector<ModuleStatus> modules;  // that servers name
  RollbackStatus rollback;
  std::vector<Predecessors::Remains> predecessors;
  Totals totals;
};

// From where all this is taken. What children wrote is brought into its range.
struct StatusSource {
  int pid = 0;
  Millis uptime{0};
  std::vector<const Generation*> generations;  // the serving one first
  const Listeners* listeners = nullptr;
  Totals retired;  // of all processes that are gone, and of predecessors
  std::vector<Predecessors::Remains> predecessors;
  MetricSums metrics;
  LimitTable* limits = nullptr;
  const Recovery* recovery = nullptr;
};
[[nodiscard]] StatusReport collect_status(const StatusSource& source);

[[nodiscard]] std::string status_json(const StatusReport& report);
[[nodiscard]] std::string status_table(const StatusReport& report);

// Largest share over the mean of the accepted connections of a generation's slots; 1 is perfect, 0
// when there are none.
[[nodiscard]] double balance_of(const std::vector<std::uint64_t>& accepted);

// What a seat says of its process, with what cannot be made possible. Policy without a process.
struct SeatReading {
  Millis heartbeat_age{0};
  std::uint64_t live = 0;
  std::uint64_t streams = 0;
  std::uint64_t turns = 0;
  std::uint32_t loop_max_us = 0;
  std::uint32_t loop_p99_us = 0;
};
struct SeatBounds {
  Millis now{0};
  Millis born{0};
  std::uint64_t connections = 0;
  std::uint64_t streams = 0;
};
[[nodiscard]] SeatReading read_seat(const Seat& seat, const SeatBounds& bounds);

}  // namespace drover

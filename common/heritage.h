// What a process is born with: with common/protocol.h the whole treaty between the master and its
// children. A child is forked, not exec'ed, so it reads these values where the master had written
// them; the descriptors named here are the only ones it has beside 0, 1 and 2.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/limit_table.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/predecessor_heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"

namespace drover {

enum class Role { kValidator, kWorker, kAcceptor, kHelper };
[[nodiscard]] const char* to_string(Role role);

// One listening socket. A `listen` line is a group of `active` members (one, or one per slot with
// reuseport), indexed by the order in which they joined the kernel's reuseport group. Members at
// and above `active` are surplus: kept open until their queues have run dry, accepted from by slot
// member % slots.
struct ListenerHeritage {
  std::uint32_t id = 0;  // unique for the master's life
  int fd = -1;
  std::uint16_t server = 0;  // index in Settings::servers
  std::uint16_t listen = 0;  // index in ServerSettings::listens
  std::uint16_t member = 0;
  std::uint16_t active = 1;
};

// accept = acceptor: the two ends of a slot's SOCK_SEQPACKET pair. The master keeps both, so that
// descriptors queued to a dead worker are read by its successor or by a neighbour.
struct PassingPair {
  int send_fd = -1;
  int receive_fd = -1;
};

// A sealed memfd with a module's .so, to be opened as /proc/self/fd/N.
struct ModuleImageHeritage {
  std::string name;      // as configured in `load`
  std::string origin;    // the file it was copied from
  std::string build_id;  // hex, empty: none
  int fd = -1;
};

// A module's background process for one server, and the eventfd that wakes it.
struct HelperHeritage {
  std::size_t server = 0;  // index in Settings::servers
  std::string name;
  int doorbell = -1;
};

// A zone (common/zone.h), of every worker and helper whose configuration names it.
struct ZoneHeritage {
  std::string name;
  int fd = -1;
  std::int64_t size_bytes = 0;
  bool preallocate = false;
};

struct Heritage {
  Role role = Role::kWorker;
  int slot = 0;   // the worker's number; a helper's index in `helpers`; 0 for other roles
  int slots = 1;  // workers of this generation
  std::uint32_t generation = 0;
  int seat = 0;  // index in Scoreboard::seats
  const Settings* settings = nullptr;
  int channel_fd = -1;
  // For a worker that becomes an orphan: what a new master is to have. -1: there is none.
  int scoreboard_fd = -1;
  int metrics_fd = -1;
  int control_fd = -1;  // the control socket, listening
  std::string control_path;
  std::vector<PredecessorHeritage> predecessors;  // newest first
  ino_t scoreboard_inode = 0;                     // every child's
  // Of the scoreboard of whoever this master has the place of: it says whether it really has. Null:
  // of nobody, or they are gone.
  const ScoreboardHead* predecessor = nullptr;
  Scoreboard* scoreboard = nullptr;
  LimitTable* limits = nullptr;
  ConnectionLedger* ledger = nullptr;  // this worker's; null when no server has limits
  std::shared_ptr<const MetricLayout> metric_layout;  // of the generation; null: nothing is counted
  std::span<MetricCell> metrics;                      // this worker's; none without a layout
  std::vector<ListenerHeritage> listeners;            // all of the generation's
  std::vector<int> doorbells;                         // eventfd by slot
  std::vector<PassingPair> passing;                   // by slot; empty without an acceptor server
  std::vector<ModuleImageHeritage> modules;
  std::vector<int> access_log_fds;            // by server, -1: off
  std::vector<ZoneHeritage> zones;            // workers and helpers only
  std::vector<HelperHeritage> helpers;        // of the generation; workers and helpers only
  std::vector<std::uint32_t> closed_servers;  // quarantined, by index: not started, serve nobody
  std::int64_t worker_connections = 0;        // resolved
  Log* log = nullptr;                         // already the child's own

  [[nodiscard]] Seat& my_seat() const { return scoreboard->seats[static_cast<std::size_t>(seat)]; }
  [[nodiscard]] Board& board() const { return scoreboard->board_of(generation); }
  [[nodiscard]] std::vector<int> descriptors() const;  // all that the child keeps
  // "worker 3 gen 7", "helper SERVER/NAME gen 7": for people, in the log and in ps(1).
  [[nodiscard]] std::string title() const;
};

// Wakes all who wait at a doorbell; one of Heritage::doorbells, or the master's own of them. Never
// blocks. Any process.
void ring_doorbell(int fd);

// A role's whole life: returns the exit status of the process.
using RoleMain = int (*)(const Heritage&);

}  // namespace drover

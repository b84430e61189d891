// What all parts of the master share: the loop, the log, the shared memory, the roles. Handed down
// as plain references to things that live as long as the master.
#pragma once

#include <string>
#include <vector>

#include "common/event.h"
#include "common/heritage.h"
#include "common/limit_table.h"
#include "common/log.h"
#include "common/scoreboard.h"
#include "master/metric_board.h"
#include "master/zones.h"

namespace drover {

struct RoleMains {
  RoleMain worker = nullptr;
  RoleMain acceptor = nullptr;
  RoleMain validator = nullptr;
  RoleMain helper = nullptr;
};

struct MasterContext {
  event_base* base = nullptr;
  Log* log = nullptr;
  Scoreboard* scoreboard = nullptr;
  LimitTable* limits = nullptr;
  RoleMains roles;
  bool is_daemon = false;  // children let go of the terminal they were started from
  Zones* zones = nullptr;
  int scoreboard_fd = -1;
  MetricBoard* metrics = nullptr;
  ino_t scoreboard_inode = 0;
  const ScoreboardHead* predecessor = nullptr;         // as Heritage::predecessor
  std::vector<PredecessorHeritage> predecessors = {};  // for workers, as Heritage's
  std::string control_path = {};
  int control_fd = -1;  // the listening control socket, which orphans answer; -1: none
};

// Owns what a context refers to, except the log.
class ContextOwner {
 public:
  ContextOwner(Log* log, const RoleMains& roles, bool is_daemon);
  ContextOwner(const ContextOwner&) = delete;
  ContextOwner& operator=(const ContextOwner&) = delete;

  [[nodiscard]] MasterContext& context() { return context_; }

 private:
  EventBase base_;
  SharedScoreboard scoreboard_;
  LimitTableMapping limits_;
  MetricBoard metrics_;
  Zones zones_;
  MasterContext context_;
};

}  // namespace drover

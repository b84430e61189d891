// One server section in this worker (or validator, or helper): its settings, its protocol's
// instance, who may connect, its access log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/helpers.h"
#include "common/settings.h"
#include "modules/sdk/drover_module.h"
#include "worker/access_log.h"
#include "worker/admission.h"
#include "worker/connection_core.h"
#include "worker/module_config.h"
#include "worker/module_image.h"
#include "worker/module_metrics.h"
#include "worker/zone_mapping.h"

namespace drover {
struct Server;
}

// What the contract calls a context: the way from a host function back to the server.
struct drover_context {
  drover::Server* server = nullptr;
};
// And what it calls a server: the way from another module to this one.
struct drover_server {
  drover::Server* server = nullptr;
};

namespace drover {

struct Server {
  Server(ConnectionCore& shared, const ServerSettings& section, const ModuleTable& table,
         Admission who)
      : core(shared), settings(section), module(table), admission(who) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  ConnectionCore& core;
  const ServerSettings& settings;
  const ModuleTable module;
  ServerMetrics metrics;  // what the module counts; set before it is started
  ModuleConfig config;    // what the module's directives say; set before the module is started
  Admission admission;
  std::optional<AccessLog> access_log;
  const Heritage* heritage = nullptr;  // of the worker; null before it has given them, as zones
  ZoneMappings* zones = nullptr;       // of the worker
  const std::vector<std::unique_ptr<Server>>* all =
      nullptr;                    // of the worker; null before it has all
  HelperList* helpers = nullptr;  // what modules asked for; in the validator only
  drover_context context{this};
  drover_server name{this};
  int index = -1;              // in Settings::servers; -1: nobody asks
  void* instance = nullptr;    // worker_init's; null before it and after worker_exit
  std::string last_message;    // the module's last log line, to say why it could not start
  std::size_t timers = 0;      // of the instance, that run
  bool runs_in_batch = false;  // a hook of it has been called in this batch
  bool ran_in_turn = false;    // the same, until the turn's length is known
  bool is_starting = false;    // worker_init runs
  bool is_closed = false;      // quarantined: no instance, no connections
  bool is_draining = false;    // connections that open from now on are told at once
};

}  // namespace drover

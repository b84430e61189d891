// What a reload changes, or would change: two configurations compared. The comparison is pure: it
// takes values and gives values; reload_report_text.h writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/settings.h"
#include "master/module_images.h"

namespace drover {

// A configuration as it is served, or is to be.
struct ConfigurationView {
  std::optional<std::uint32_t> generation;  // nothing: of none yet
  const Settings* settings = nullptr;
  int workers = 0;                                    // resolved
  const std::vector<ModuleImage>* modules = nullptr;  // what is loaded
  std::vector<std::uint32_t> closed_servers = {};     // by index: out of service, without sockets
};

enum class Change { kKept, kChanged, kAdded, kRemoved };
[[nodiscard]] const char* to_string(Change change);

struct ReloadReport {
  // Of one address, in whichever server.
  struct Listener {
    std::string address;
    Change change = Change::kKept;  // kept, added, removed
    int sockets_from = 0;
    int sockets_to = 0;
    bool operator==(const Listener&) const = default;
  };
  // Of a server that stays.
  struct Strategy {
    std::string server;
    AcceptStrategy from = AcceptStrategy::kExclusive;
    AcceptStrategy to = AcceptStrategy::kExclusive;
    bool operator==(const Strategy&) const = default;
  };
  struct Server {
    std::string name;
    Change change = Change::kKept;
    std::vector<std::string> directives;  // kChanged: those that differ
    bool operator==(const Server&) const = default;
  };
  // By build id; one without is taken for changed.
  struct Module {
    std::string name;
    Change change = Change::kKept;
    std::string build_id_from;
    std::string build_id_to;
    bool operator==(const Module&) const = default;
  };
  struct Zone {
    std::string name;
    Change change = Change::kKept;  // kept, added, removed
    bool operator==(const Zone&) const = default;
  };

  std::optional<std::uint32_t> generation_from;
  std::optional<std::uint32_t> generation_to;  // nothing: a plan
  int workers_from = 0;
  int workers_to = 0;
  std::vector<std::string> directives;  // of [drover], those that differ
  std::vector<Listener> listeners;      // in the order of the new configuration, then what goes
  std::vector<Strategy> strategies;
  std::vector<Server> servers;
  std::vector<Module> modules;
  std::vector<Zone> zones;
  // From the beginning of the reload.
  Millis validated{0};
  std::optional<Millis> ready;  // nothing: a plan
};

[[nodiscard]] ReloadReport compare(const ConfigurationView& from, const ConfigurationView& to);

}  // namespace drover

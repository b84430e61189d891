#include "master/reload_report.h"

#include <algorithm>
#include <map>

#include "common/directives.h"

namespace drover {
namespace {

template <class Item>
const Item* find_named(const std::vector<Item>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  return found == items.end() ? nullptr : &*found;
}

// Calls row(name, from, to) for each name: those of `to` in their order, then those that only
// `from` has. What is not there is null.
template <class Item, class Row>
void for_each_pair(const std::vector<Item>& from, const std::vector<Item>& to, Row row) {
  for (const Item& item : to) row(item.name, find_named(from, item.name), &item);
  for (const Item& item : from) {
    if (find_named(to, item.name) == nullptr) row(item.name, &item, nullptr);
  }
}

template <class Item>
Change presence(const Item* from, const Item* to) {
  return from == nullptr ? Change::kAdded : to == nullptr ? Change::kRemoved : Change::kKept;
}

// By the name of the directive, its values as they would be printed.
using Directives = std::map<std::string, std::vector<std::string>>;

template <class Section>
Directives directives_of(const std::vector<Directive<Section>>& table, const Section& section) {
  Directives directives;
  for (const Directive<Section>& row : table) {
    for (const NamedValue& line : row.get(section)) directives[line.name].push_back(line.value);
  }
  return directives;
}

Directives directives_of(const ServerSettings& server) {
  Directives directives = directives_of(server_directives(), server);
  for (const ModuleDirective& each : server.module_directives)
    directives[each.name].push_back(each.value);
  return directives;
}

std::vector<std::string> names_that_differ(const Directives& from, const Directives& to) {
  std::vector<std::string> names;
  for (const auto& [name, values] : to) {
    const auto before = from.find(name);
    if (before == from.end() || before->second != values) names.push_back(name);
  }
  for (const auto& [name, values] : from) {
    if (!to.contains(name)) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// The sockets that a configuration has at an address.
struct Sockets {
  std::string name;
  int count = 0;
};

std::vector<Sockets> sockets_of(const ConfigurationView& view) {
  std::vector<Sockets> all;
  const std::vector<ServerSettings>& servers = view.settings->servers;
  for (std::uint32_t index = 0; index < servers.size(); ++index) {
    if (std::ranges::find(view.closed_servers, index) != view.closed_servers.end()) continue;
    const ServerSettings& server = servers[index];
    const int count = server.accept == AcceptStrategy::kReuseport ? view.workers : 1;
    for (const ListenSettings& listen : server.listens)
      all.push_back({listen.address.to_string(), count});
  }
  return all;
}

std::vector<ReloadReport::Listener> compare_listeners(const ConfigurationView& from,
                                                      const ConfigurationView& to) {
  std::vector<ReloadReport::Listener> listeners;
  for_each_pair(sockets_of(from), sockets_of(to),
                [&](const std::string& address, const Sockets* before, const Sockets* after) {
                  listeners.push_back({address, presence(before, after),
                                       before == nullptr ? 0 : before->count,
                                       after == nullptr ? 0 : after->count});
                });
  return listeners;
}

void compare_servers(const Settings& from, const Settings& to, ReloadReport& report) {
  for_each_pair(
      from.servers, to.servers,
      [&](const std::string& name, const ServerSettings* before, const ServerSettings* after) {
        ReloadReport::Server server{name, presence(before, after), {}};
        if (before != nullptr && after != nullptr) {
          server.directives = names_that_differ(directives_of(*before), directives_of(*after));
          if (!server.directives.empty()) server.change = Change::kChanged;
          if (before->accept != after->accept)
            report.strategies.push_back({name, before->accept, after->accept});
        }
        report.servers.push_back(std::move(server));
      });
}

std::vector<ReloadReport::Module> compare_modules(const std::vector<ModuleImage>& from,
                                                  const std::vector<ModuleImage>& to) {
  std::vector<ReloadReport::Module> modules;
  for_each_pair(from, to,
                [&](const std::string& name, const ModuleImage* before, const ModuleImage* after) {
                  ReloadReport::Module module{name, presence(before, after),
                                              before == nullptr ? "" : before->build_id,
                                              after == nullptr ? "" : after->build_id};
                  const bool is_same =
                      module.build_id_from == module.build_id_to && !module.build_id_to.empty();
                  if (module.change == Change::kKept && !is_same) module.change = Change::kChanged;
                  modules.push_back(std::move(module));
                });
  return modules;
}

std::vector<ReloadReport::Zone> compare_zones(const Settings& from, const Settings& to) {
  std::vector<ReloadReport::Zone> zones;
  for_each_pair(
      from.zones, to.zones,
      [&](const std::string& name, const ZoneSettings* before, const ZoneSettings* after) {
        zones.push_back({name, presence(before, after)});
      });
  return zones;
}

}  // namespace

const char* to_string(Change change) {
  switch (change) {
    case Change::kKept:
      return "kept";
    case Change::kChanged:
      return "changed";
    case Change::kAdded:
      return "added";
    case Change::kRemoved:
      return "removed";
  }
  return "unknown";
}

ReloadReport compare(const ConfigurationView& from, const ConfigurationView& to) {
  ReloadReport report;
  report.generation_from = from.generation;
  report.generation_to = to.generation;
  report.workers_from = from.workers;
  report.workers_to = to.workers;
  report.directives = names_that_differ(directives_of(drover_directives(), *from.settings),
                                        directives_of(drover_directives(), *to.settings));
  report.listeners = compare_listeners(from, to);
  compare_servers(*from.settings, *to.settings, report);
  report.modules = compare_modules(*from.modules, *to.modules);
  report.zones = compare_zones(*from.settings, *to.settings);
  return report;
}

}  // namespace drover

#include "master/reload_report_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "master/json_text.h"

namespace drover {
namespace {

template <class Number>
std::string or_null(const std::optional<Number>& number) {
  return number ? std::to_string(*number) : "null";
}
std::string or_null(const std::string& text) { return text.empty() ? "null" : quoted(text); }

// What a zone's memory does.
const char* fate_of(const ReloadReport::Zone& zone) {
  if (zone.change == Change::kAdded) return "new";
  return zone.change == Change::kRemoved ? "freed" : "kept";
}

std::string listener_json(const ReloadReport::Listener& listener) {
  return fmt::format(R"({{"address":{},"change":"{}","sockets_from":{},"sockets_to":{}}})",
                     quoted(listener.address), to_string(listener.change), listener.sockets_from,
                     listener.sockets_to);
}

std::string strategy_json(const ReloadReport::Strategy& strategy) {
  return fmt::format(R"({{"server":{},"from":"{}","to":"{}"}})", quoted(strategy.server),
                     to_string(strategy.from), to_string(strategy.to));
}

std::string server_json(const ReloadReport::Server& server) {
  return fmt::format(R"({{"name":{},"change":"{}","directives":[{}]}})", quoted(server.name),
                     to_string(server.change), joined(server.directives, &quoted));
}

std::string module_json(const ReloadReport::Module& module) {
  return fmt::format(R"({{"name":{},"change":"{}","build_id_from":{},"build_id_to":{}}})",
                     quoted(module.name), to_string(module.change), or_null(module.build_id_from),
                     or_null(module.build_id_to));
}

std::string zone_json(const ReloadReport::Zone& zone) {
  return fmt::format(R"({{"name":{},"change":"{}"}})", quoted(zone.name), fate_of(zone));
}

std::string listener_line(const ReloadReport::Listener& listener) {
  const std::string sockets =
      listener.change != Change::kKept || listener.sockets_from == listener.sockets_to
          ? ""
          : fmt::format(", sockets {} -> {}", listener.sockets_from, listener.sockets_to);
  return fmt::format("  listen {}: {}{}\n", listener.address, to_string(listener.change), sockets);
}

std::string server_line(const ReloadReport::Server& server) {
  return fmt::format("  server {}: {}{}{}\n", server.name, to_string(server.change),
                     server.directives.empty() ? "" : ": ", fmt::join(server.directives, ", "));
}

std::string module_line(const ReloadReport::Module& module) {
  const auto or_none = [](const std::string& id) { return id.empty() ? "none" : id; };
  const std::string ids = module.change != Change::kChanged
                              ? ""
                              : fmt::format(", build id {} -> {}", or_none(module.build_id_from),
                                            or_none(module.build_id_to));
  return fmt::format("  module {}: {}{}\n", module.name, to_string(module.change), ids);
}

std::string times_line(const ReloadReport& report) {
  const std::string ready =
      report.ready ? fmt::format(", ready after {} ms", report.ready->count()) : "";
  return fmt::format("  validated after {} ms{}\n", report.validated.count(), ready);
}

}  // namespace

std::string report_json(const ReloadReport& report) {
  const auto ready_ms = report.ready ? std::optional(report.ready->count()) : std::nullopt;
  return fmt::format(
      R"({{"generation_from":{},"generation_to":{},"workers_from":{},"workers_to":{},"directives":[{}],"listeners":[{}],"strategies":[{}],"servers":[{}],"modules":[{}],"zones":[{}],"validated_ms":{},"ready_ms":{}}})",
      or_null(report.generation_from), or_null(report.generation_to), report.workers_from,
      report.workers_to, joined(report.directives, &quoted),
      joined(report.listeners, &listener_json), joined(report.strategies, &strategy_json),
      joined(report.servers, &server_json), joined(report.modules, &module_json),
      joined(report.zones, &zone_json), report.validated.count(), or_null(ready_ms));
}

std::string report_table(const ReloadReport& report) {
  std::string out = fmt::format("  workers {} -> {}\n", report.workers_from, report.workers_to);
  if (!report.directives.empty())
    out += fmt::format("  [drover]: changed: {}\n", fmt::join(report.directives, ", "));
  for (const auto& listener : report.listeners) out += listener_line(listener);
  for (const auto& server : report.servers) out += server_line(server);
  for (const auto& [server, from, to] : report.strategies) {
    out += fmt::format("  server {}: accept {} -> {}\n", server, to_string(from), to_string(to));
  }
  for (const auto& module : report.modules) out += module_line(module);
  for (const auto& zone : report.zones)
    out += fmt::format("  zone {}: {}\n", zone.name, fate_of(zone));
  return out + times_line(report);
}

}  // namespace drover

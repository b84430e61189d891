// The two printers of the configuration: -T and --directives.
#include <fmt/format.h>

#include "common/config.h"
#include "common/directives.h"
#include "common/directives_listen.h"

namespace drover {
namespace {

template <class Section>
void dump_section(const std::string& header, const std::vector<Directive<Section>>& table,
                  const Section& section, std::string& out) {
  out += fmt::format("{}[{}]\n", out.empty() ? "" : "\n", header);
  for (const Directive<Section>& row : table) {
    for (const NamedValue& line : row.get(section)) {
      out += fmt::format("{} = {}\n", line.name, line.value);
    }
  }
}

template <class Section>
void list_row(const std::string& section, const Directive<Section>& row, std::string& out) {
  out += format_directive({.section = section,
                           .name = row.name,
                           .type = row.type,
                           .range = row.range,
                           .default_value = row.default_value(),
                           .help = row.help});
}

}  // namespace

std::string dump_settings(const Settings& settings) {
  std::string out;
  dump_section("drover", drover_directives(), settings, out);
  for (const ZoneSettings& zone : settings.zones) {
    dump_section("zone " + zone.name, zone_directives(), zone, out);
  }
  for (const ServerSettings& server : settings.servers) {
    dump_section("server " + server.name, server_directives(), server, out);
    for (const ModuleDirective& directive : server.module_directives) {
      out += fmt::format("{} = {}\n", directive.name, directive.value);
    }
  }
  return out;
}

std::string format_directive(const DirectiveLine& line) {
  return fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", line.section, line.name, line.type,
                     line.range.empty() ? "any" : line.range,
                     line.default_value.empty() ? "-" : line.default_value, line.help);
}

std::string list_directives() {
  std::string out;
  for (const auto& row : drover_directives()) list_row("drover", row, out);
  for (const auto& row : server_directives()) list_row("server", row, out);
  for (const ListenOption& option : listen_options()) list_row("listen", option.directive, out);
  for (const auto& row : zone_directives()) list_row("zone", row, out);
  return out;
}

}  // namespace drover

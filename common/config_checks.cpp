#include "common/config_checks.h"

#include <sys/un.h>

#include <algorithm>

#include "common/directive_text.h"
#include "common/scoreboard.h"
#include "common/units.h"

namespace drover {
namespace {

class Checker {
 public:
  Checker(const Settings& settings, const FirstSources& sources, ConfigMessages& messages)
      : settings_(settings), sources_(sources), messages_(messages) {}

  void check() {
    check_times();
    check_control();
    check_addresses();
    check_server_count();
    for (const ServerSettings& server : settings_.servers) check_server(server);
    for (const ZoneSettings& zone : settings_.zones) check_zone(zone);
  }

 private:
  Source drover_source(const std::string& directive) const {
    return source_of(sources_, "drover", directive, {});
  }

  void check_times() {
    if (settings_.hang_timeout > settings_.steer_after) return;
    const bool is_hang_set = drover_source("hang_timeout").line != 0;
    const std::string directive = is_hang_set ? "hang_timeout" : "steer_after";
    messages_.error(drover_source(directive), "drover", directive,
                    "hang_timeout (" + format_duration(settings_.hang_timeout) +
                        ") must be longer than steer_after (" +
                        format_duration(settings_.steer_after) + "); " +
                        (is_hang_set ? "raise it" : "lower it"));
  }

  void check_control() {
    constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    if (settings_.control.size() > kLongest) {
      messages_.error(
          drover_source("control"), "drover", "control",
          "the path is too long for a unix socket: " + std::to_string(settings_.control.size()) +
              " bytes; use at most " + std::to_string(kLongest));
    }
    if (!settings_.control.empty() && settings_.control == settings_.pid) {
      messages_.error(
          drover_source("control"), "drover", "control",
          "is the same path as pid at " + drover_source("pid").to_string() + "; choose another");
    }
  }

  void check_addresses() {
    std::map<std::string, std::pair<Source, std::string>> seen;  // address -> where
    if (!settings_.control.empty()) {
      seen.emplace("unix:" + settings_.control,
                   std::pair{drover_source("control"), std::string("control in [drover]")});
    }
    for (const ServerSettings& server : settings_.servers) {
      for (const ListenSettings& listen : server.listens) {
        const bool any_port = !listen.address.is_unix() && listen.address.port() == 0;
        const std::string address = listen.address.to_string();
        const auto [first, is_new] =
            seen.emplace(address, std::pair{listen.source, "[server " + server.name + "]"});
        if (is_new || any_port) continue;
        messages_.error(listen.source, "server " + server.name, "listen",
                        address + " is already used by " + first->second.second + " at " +
                            first->second.first.to_string() + "; choose another");
      }
    }
  }

  void check_server_count() {
    const auto& servers = settings_.servers;
    if (servers.size() > kMaxBoardServers) {
      messages_.error(servers[kMaxBoardServers].source, "server " + servers[kMaxBoardServers].name,
                      "", "too many servers; use at most " + std::to_string(kMaxBoardServers));
    }
    const bool serves =
        std::any_of(servers.begin(), servers.end(),
                    [](const ServerSettings& server) { return !server.listens.empty(); });
    // No server at all is told by load_config, which knows the file. One whose listen was refused
    // has been told.
    if (!servers.empty() && !serves && messages_.errors.empty()) {
      messages_.error(servers.front().source, "server " + servers.front().name, "",
                      "no server listens, there is nothing to serve; add listen = ADDRESS:PORT");
    }
  }

  void check_server(const ServerSettings& server) {
    const std::string section = "server " + server.name;
    if (source_of(sources_, section, "protocol", {}).line == 0) {
      messages_.error(server.source, section, "protocol",
                      "is missing; name the module that serves, for example protocol = echo");
    }
    if (server.max_connections > 0 && server.limit_per_ip > server.max_connections) {
      const Source source = source_of(sources_, section, "limit_per_ip", server.source);
      messages_.warning(source, section, "limit_per_ip",
                        "is larger than max_connections and has no effect");
    }
    check_listens(server, section);
    check_proxy(server, section);
    check_module_directives(server, section);
  }

  void check_listens(const ServerSettings& server, const std::string& section) {
    if (server.accept != AcceptStrategy::kReuseport) return;
    for (const ListenSettings& listen : server.listens) {
      if (!listen.address.is_unix()) continue;
      messages_.error(listen.source, section, "listen",
                      listen.address.to_string() +
                          " cannot be used with accept = reuseport; choose another strategy or a "
                          "server of its own");
    }
  }

  void check_proxy(const ServerSettings& server, const std::string& section) {
    const auto expects = [](const ListenSettings& listen) { return listen.proxy_protocol; };
    const auto first = std::find_if(server.listens.begin(), server.listens.end(), expects);
    if (first != server.listens.end() && server.proxy_from.empty()) {
      messages_.error(
          first->source, section, "listen",
          "proxy_protocol trusts nobody without proxy_from; add proxy_from = ADDRESSES");
    }
    if (first == server.listens.end() && !server.proxy_from.empty() && !server.listens.empty()) {
      messages_.warning(server.source, section, "proxy_from",
                        "has no effect; no listen of this server has proxy_protocol");
    }
  }

  void check_module_directives(const ServerSettings& server, const std::string& section) {
    if (server.protocol.empty()) return;
    for (const ModuleDirective& directive : server.module_directives) {
      const std::string prefix = directive.name.substr(0, directive.name.find('.'));
      if (prefix == server.protocol) continue;
      messages_.error(directive.source, section, directive.name,
                      "belongs to module " + quote(prefix) + ", but protocol is " +
                          quote(server.protocol) + "; its directives begin with " +
                          server.protocol + ".");
    }
  }

  void check_zone(const ZoneSettings& zone) {
    const std::string section = "zone " + zone.name;
    if (source_of(sources_, section, "size", {}).line != 0) return;
    messages_.error(zone.source, section, "size", "is missing; write for example size = 64m");
  }

  const Settings& settings_;
  const FirstSources& sources_;
  ConfigMessages& messages_;
};

}  // namespace

void check_settings(const Settings& settings, const FirstSources& sources,
                    ConfigMessages& messages) {
  Checker(settings, sources, messages).check();
}

}  // namespace drover

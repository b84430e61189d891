#include "tests/support/status.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace drover::test {
namespace {

using nlohmann::json;

Counters counters_from(const json& in) {
  Counters counters;
  in.at("accepted").get_to(counters.accepted);
  in.at("empty_wakeups").get_to(counters.empty_wakeups);
  in.at("steered").get_to(counters.steered);
  in.at("outgoing").get_to(counters.outgoing);
  in.at("closed").get_to(counters.closed);
  in.at("streams_opened").get_to(counters.streams_opened);
  in.at("refused_limit").get_to(counters.refused_limit);
  in.at("refused_access").get_to(counters.refused_access);
  in.at("accept_pauses").get_to(counters.accept_pauses);
  in.at("drained_cut").get_to(counters.drained_cut);
  in.at("stale_handles").get_to(counters.stale_handles);
  in.at("bytes_in").get_to(counters.bytes_in);
  in.at("bytes_out").get_to(counters.bytes_out);
  return counters;
}

std::string text_or_empty(const json& in) { return in.is_null() ? "" : in.get<std::string>(); }
std::int64_t number_or_unknown(const json& in) {
  return in.is_null() ? -1 : in.get<std::int64_t>();
}

std::optional<CrashStatus> crash_from(const json& in) {
  if (in.is_null()) return std::nullopt;
  CrashStatus crash;
  in.at("time").get_to(crash.time);
  in.at("age_ms").get_to(crash.age_ms);
  in.at("pid").get_to(crash.pid);
  crash.signal = text_or_empty(in.at("signal"));
  in.at("how").get_to(crash.how);
  crash.module = text_or_empty(in.at("module"));
  crash.address = text_or_empty(in.at("address"));
  in.at("backtrace").get_to(crash.backtrace);
  return crash;
}

// What the status of every process has.
template <class Process>
void read_process(const json& in, Process& process) {
  in.at("pid").get_to(process.pid);
  in.at("state").get_to(process.state);
  in.at("uptime_ms").get_to(process.uptime_ms);
  in.at("restarts").get_to(process.restarts);
  process.last_crash = crash_from(in.at("last_crash"));
  in.at("heartbeat_age_ms").get_to(process.heartbeat_age_ms);
}

WorkerStatus worker_from(const json& in) {
  WorkerStatus worker;
  read_process(in, worker);
  in.at("slot").get_to(worker.slot);
  in.at("live").get_to(worker.live);
  in.at("streams").get_to(worker.streams);
  worker.counters = counters_from(in);
  in.at("turns").get_to(worker.turns);
  in.at("loop_max_us").get_to(worker.loop_max_us);
  in.at("loop_p99_us").get_to(worker.loop_p99_us);
  return worker;
}

std::optional<AcceptorStatus> acceptor_from(const json& in) {
  if (in.is_null()) return std::nullopt;
  AcceptorStatus acceptor;
  read_process(in, acceptor);
  in.at("held").get_to(acceptor.held);
  acceptor.counters = counters_from(in);
  return acceptor;
}

HelperStatus helper_from(const json& in) {
  HelperStatus helper;
  in.at("server").get_to(helper.server);
  in.at("name").get_to(helper.name);
  read_process(in, helper);
  return helper;
}

GenerationStatus generation_from(const json& in) {
  GenerationStatus generation;
  in.at("number").get_to(generation.number);
  in.at("state").get_to(generation.state);
  for (const json& worker : in.at("workers")) generation.workers.push_back(worker_from(worker));
  for (const json& helper : in.at("helpers")) generation.helpers.push_back(helper_from(helper));
  in.at("balance").get_to(generation.balance);
  generation.acceptor = acceptor_from(in.at("acceptor"));
  return generation;
}

ServerStatus server_from(const json& in) {
  ServerStatus server;
  in.at("name").get_to(server.name);
  in.at("accept").get_to(server.accept);
  in.at("listen").get_to(server.listen);
  in.at("connections").get_to(server.connections);
  for (const json& metric : in.at("metrics"))
    server.metrics[metric.at("name")] = metric.at("value").get<std::int64_t>();
  return server;
}

ListenerStatus listener_from(const json& in) {
  ListenerStatus listener;
  in.at("address").get_to(listener.address);
  listener.server = text_or_empty(in.at("server"));
  listener.half_open = number_or_unknown(in.at("half_open"));
  for (const json& socket : in.at("sockets")) {
    listener.sockets.push_back({socket.at("id"), socket.at("surplus"),
                                number_or_unknown(socket.at("queued")),
                                number_or_unknown(socket.at("backlog"))});
  }
  return listener;
}

ZoneStatus zone_from(const json& in) {
  ZoneStatus zone;
  in.at("name").get_to(zone.name);
  in.at("size_bytes").get_to(zone.size);
  in.at("state").get_to(zone.state);
  zone.owner = text_or_empty(in.at("owner"));
  in.at("layout").get_to(zone.layout);
  in.at("unclean_ends").get_to(zone.unclean_ends);
  in.at("generations").get_to(zone.generations);
  return zone;
}

ModuleStatus module_from(const json& in) {
  ModuleStatus module;
  in.at("name").get_to(module.name);
  in.at("crashes").get_to(module.crashes);
  in.at("hangs").get_to(module.hangs);
  in.at("quarantined").get_to(module.quarantined);
  return module;
}

RollbackStatus rollback_from(const json& in) {
  RollbackStatus rollback;
  in.at("window_left_ms").get_to(rollback.window_left_ms);
  in.at("former").get_to(rollback.former);
  in.at("taken_back").get_to(rollback.taken_back);
  return rollback;
}

DaemonStatus status_from(const json& in) {
  DaemonStatus status;
  in.at("pid").get_to(status.pid);
  in.at("version").get_to(status.version);
  in.at("uptime_ms").get_to(status.uptime_ms);
  for (const json& generation : in.at("generations"))
    status.generations.push_back(generation_from(generation));
  in.at("balance").get_to(status.balance);
  for (const json& server : in.at("servers")) status.servers.push_back(server_from(server));
  for (const json& listener : in.at("listeners"))
    status.listeners.push_back(listener_from(listener));
  for (const json& zone : in.at("zones")) status.zones.push_back(zone_from(zone));
  for (const json& module : in.at("modules")) status.modules.push_back(module_from(module));
  status.rollback = rollback_from(in.at("rollback"));
  status.totals = counters_from(in.at("totals"));
  return status;
}

}  // namespace

const GenerationStatus* DaemonStatus::serving() const {
  for (const GenerationStatus& generation : generations) {
    if (generation.state == "serving") return &generation;
  }
  return nullptr;
}

std::int64_t DaemonStatus::metric(std::string_view server, const std::string& name) const {
  for (const ServerStatus& each : servers) {
    if (each.name == server) return each.metrics.at(name);
  }
  throw std::out_of_range("no such server");
}

const ListenerStatus& DaemonStatus::listener(std::string_view address) const {
  for (const ListenerStatus& each : listeners) {
    if (each.address == address) return each;
  }
  throw std::out_of_range("nobody listens at " + std::string(address));
}

const ModuleStatus& DaemonStatus::module(std::string_view name) const {
  for (const ModuleStatus& each : modules) {
    if (each.name == name) return each;
  }
  throw std::out_of_range("no such module");
}

std::int64_t DaemonStatus::live() const {
  std::int64_t sum = 0;
  for (const GenerationStatus& generation : generations) {
    for (const WorkerStatus& worker : generation.workers) sum += worker.live;
  }
  return sum;
}

std::optional<DaemonStatus> parse_status(std::string_view text, std::string* why) {
  try {
    return status_from(json::parse(text));
  } catch (const json::exception& error) {  // the library speaks in exceptions
    if (why != nullptr) *why = error.what();
    return std::nullopt;
  }
}

}  // namespace drover::test

// The status as JSON: scripts rely on the names, which drover(8) lists.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "master/json_text.h"
#include "master/status.h"

namespace drover {
namespace {

std::string counters_json(const Totals& totals) {
  std::string out;
  for (std::size_t i = 0; i < kCounters.size(); ++i) {
    out += fmt::format("{}{}:{}", i == 0 ? "" : ",", quoted(kCounters[i].name), totals.values[i]);
  }
  return out;
}

std::string or_null(const std::string& text) { return text.empty() ? "null" : quoted(text); }

std::string crash_json(const std::optional<Crash>& crash, Millis now) {
  if (!crash) return "null";
  const CrashDescription report = crash->report.value_or(CrashDescription{});
  return fmt::format(
      R"({{"time":{},"age_ms":{},"pid":{},"signal":{},"how":{},"module":{},"address":{},"backtrace":[{}]}})",
      quoted(crash->time), (now - crash->at).count(), crash->pid, or_null(crash->signal),
      quoted(crash->how), or_null(report.module),
      crash->report ? quoted(fmt::format("{:#x}", report.address)) : "null",
      joined(report.frames, [](const std::string& frame) { return quoted(frame); }));
}

std::string process_json(const ProcessStatus& process, Millis now) {
  return fmt::format(
      R"("pid":{},"state":"{}","uptime_ms":{},"heartbeat_age_ms":{},"restarts":{},"last_crash":{})",
      process.pid, process.state, process.uptime.count(), process.heartbeat_age.count(),
      process.restarts, crash_json(process.last_crash, now));
}

std::string worker_json(const WorkerStatus& worker, Millis now) {
  return fmt::format(
      R"({{"slot":{},{},"live":{},"streams":{},{},"turns":{},"loop_max_us":{},"loop_p99_us":{}}})",
      worker.slot, process_json(worker.process, now), worker.live, worker.streams,
      counters_json(worker.counters), worker.turns, worker.loop_max_us, worker.loop_p99_us);
}

std::string acceptor_json(const std::optional<AcceptorStatus>& acceptor, Millis now) {
  if (!acceptor) return "null";
  return fmt::format(R"({{{},"held":{},{}}})", process_json(acceptor->process, now), acceptor->held,
                     counters_json(acceptor->counters));
}

std::string helper_json(const HelperStatus& helper, Millis now) {
  return fmt::format(R"({{"server":{},"name":{},{}}})", quoted(helper.server), quoted(helper.name),
                     process_json(helper.process, now));
}

std::string generation_json(const GenerationStatus& generation, Millis now) {
  return fmt::format(
      R"({{"number":{},"state":"{}","balance":{:.3f},"workers":[{}],"acceptor":{},"helpers":[{}]}})",
      generation.number, generation.state, generation.balance,
      joined(generation.workers, [now](const auto& each) { return worker_json(each, now); }),
      acceptor_json(generation.acceptor, now),
      joined(generation.helpers, [now](const auto& each) { return helper_json(each, now); }));
}

std::string metric_json(const MetricStatus& metric) {
  return fmt::format(R"({{"name":{},"kind":"{}","value":{},"help":{}}})", quoted(metric.name),
                     metric.kind, metric.value, quoted(metric.help));
}

std::string server_json(const ServerStatus& server) {
  return fmt::format(
      R"({{"name":{},"accept":"{}","protocol":{},"listen":[{}],"connections":{},"metrics":[{}]}})",
      quoted(server.name), server.accept, quoted(server.protocol), joined(server.listens, &quoted),
      server.connections, joined(server.metrics, &metric_json));
}

std::string member_json(const ListenerStatus::Member& member) {
  const auto or_unknown = [&member](std::uint32_t AcceptQueueLength::*field) {
    return member.queue ? std::to_string((*member.queue).*field) : "null";
  };
  return fmt::format(R"({{"id":{},"surplus":{},"queued":{},"backlog":{}}})", member.id,
                     member.is_surplus, or_unknown(&AcceptQueueLength::queued),
                     or_unknown(&AcceptQueueLength::backlog));
}

std::string listener_json(const ListenerStatus& listener) {
  return fmt::format(R"({{"address":{},"server":{},"half_open":{},"sockets":[{}]}})",
                     quoted(listener.address), or_null(listener.server),
                     listener.half_open ? std::to_string(*listener.half_open) : "null",
                     joined(listener.members, &member_json));
}

std::string zone_json(const ZoneStatus& zone) {
  return fmt::format(
      R"({{"name":{},"size_bytes":{},"state":"{}","owner":{},"layout":{},"unclean_ends":{},"generations":[{}]}})",
      quoted(zone.name), zone.size_bytes, zone.state,
      zone.owner ? quoted(zone.owner->module) : "null", zone.owner ? zone.owner->version : 0,
      zone.unclean_ends, fmt::join(zone.generations, ","));
}

std::string predecessor_json(const Predecessors::Remains& predecessor) {
  return fmt::format(R"({{"pid":{},"processes":{},"live":{}}})", predecessor.pid,
                     predecessor.processes, predecessor.live);
}

std::string module_json(const ModuleStatus& module) {
  return fmt::format(R"({{"name":{},"crashes":{},"hangs":{},"quarantined":{}}})",
                     quoted(module.name), module.record.crashes, module.record.hangs,
                     module.record.is_quarantined);
}

std::string rollback_json(const RollbackStatus& rollback) {
  return fmt::format(R"({{"window_left_ms":{},"former":{},"taken_back":{}}})",
                     rollback.window_left.count(), rollback.former, rollback.taken_back);
}

}  // namespace

std::string status_json(const StatusReport& report) {
  return fmt::format(
      R"({{"pid":{},"version":"{}","uptime_ms":{},"generations":[{}],"balance":{:.3f},"servers":[{}],"listeners":[{}],"zones":[{}],"modules":[{}],"rollback":{},"predecessors":[{}],"totals":{{{}}}}})"
      "\n",
      report.pid, DROVER_VERSION, report.uptime.count(),
      joined(report.generations,
             [now = report.now](const auto& each) { return generation_json(each, now); }),
      report.balance, joined(report.servers, &server_json),
      joined(report.listeners, &listener_json), joined(report.zones, &zone_json),
      joined(report.modules, &module_json), rollback_json(report.rollback),
      joined(report.predecessors, &predecessor_json), counters_json(report.totals));
}

}  // namespace drover

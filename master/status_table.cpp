// The status for people.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/units.h"
#include "master/status.h"

namespace drover {
namespace {

constexpr const char* kWorkerHeading =
    "  slot      pid  state     uptime s      live   streams    accepted  empty wake-ups       "
    "turns  restarts  loop p99    loop max\n";

// By the order of kCounters.
std::uint64_t accepted(const Totals& totals) { return totals.values[0]; }
std::uint64_t empty_wakeups(const Totals& totals) { return totals.values[1]; }

std::int64_t seconds(Millis time) { return time.count() / 1000; }

std::string crash_line(const std::string& who, const ProcessStatus& process, Millis now) {
  if (!process.last_crash) return "";
  const Crash& crash = *process.last_crash;
  std::string line =
      fmt::format("  {}: pid {} {}, {} s ago", who, crash.pid, crash.how, seconds(now - crash.at));
  if (crash.report && !crash.report->module.empty())
    line += fmt::format(", in module {}", crash.report->module);
  line += '\n';
  if (!crash.report) return line;
  for (const std::string& frame : crash.report->frames) line += fmt::format("    {}\n", frame);
  return line;
}

std::string worker_line(const WorkerStatus& worker) {
  return fmt::format(
      "  {:>4}  {:>7}  {:<8}  {:>8}  {:>8}  {:>8}  {:>10}  {:>14}  {:>10}  {:>8}  {:>5} us  {:>7} "
      "us\n",
      worker.slot, worker.process.pid, worker.process.state, seconds(worker.process.uptime),
      worker.live, worker.streams, accepted(worker.counters), empty_wakeups(worker.counters),
      worker.turns, worker.process.restarts, worker.loop_p99_us, worker.loop_max_us);
}

std::string acceptor_line(const AcceptorStatus& acceptor) {
  const ProcessStatus& process = acceptor.process;
  return fmt::format(
      "  acceptor: pid {}, {}, up {} s, accepted {}, empty wake-ups {}, not passed on yet {}, "
      "restarts {}\n",
      process.pid, process.state, seconds(process.uptime), accepted(acceptor.counters),
      empty_wakeups(acceptor.counters), acceptor.held, process.restarts);
}

std::string helper_line(const HelperStatus& helper) {
  const ProcessStatus& process = helper.process;
  return fmt::format("  helper {}/{}: pid {}, {}, up {} s, restarts {}\n", helper.server,
                     helper.name, process.pid, process.state, seconds(process.uptime),
                     process.restarts);
}

std::string crash_lines(const GenerationStatus& generation, Millis now) {
  std::string lines;
  for (const WorkerStatus& worker : generation.workers) {
    lines += crash_line(fmt::format("last crash of slot {}", worker.slot), worker.process, now);
  }
  if (generation.acceptor)
    lines += crash_line("last crash of the acceptor", generation.acceptor->process, now);
  for (const HelperStatus& helper : generation.helpers) {
    lines += crash_line(fmt::format("last crash of helper {}/{}", helper.server, helper.name),
                        helper.process, now);
  }
  return lines;
}

std::string generation_lines(const GenerationStatus& generation, Millis now) {
  std::string lines = fmt::format("generation {} {}, balance {:.2f}\n", generation.number,
                                  generation.state, generation.balance);
  lines += kWorkerHeading;
  for (const WorkerStatus& worker : generation.workers) lines += worker_line(worker);
  if (generation.acceptor) lines += acceptor_line(*generation.acceptor);
  for (const HelperStatus& helper : generation.helpers) lines += helper_line(helper);
  return lines + crash_lines(generation, now);
}

// Over all sockets of the group.
std::string queue_text(const ListenerStatus& listener) {
  std::uint64_t queued = 0;
  std::uint64_t backlog = 0;
  for (const ListenerStatus::Member& member : listener.members) {
    if (!member.queue) return "queue not known";
    queued += member.queue->queued;
    backlog += member.queue->backlog;
  }
  return fmt::format("{} of {} wait to be accepted", queued, backlog);
}

std::string listener_line(const ListenerStatus& listener) {
  std::string line =
      fmt::format("listen {}: server {}, {} socket{}, {}", listener.address,
                  listener.server.empty() ? "-" : listener.server, listener.members.size(),
                  listener.members.size() == 1 ? "" : "s", queue_text(listener));
  if (listener.half_open) line += fmt::format(", {} half-open", *listener.half_open);
  return line + '\n';
}

std::string zone_line(const ZoneStatus& zone) {
  const std::string owner =
      zone.owner ? fmt::format(", owner {}, layout {}", zone.owner->module, zone.owner->version)
                 : "";
  return fmt::format("zone {}: {}, {}{}, generations {}\n", zone.name, format_size(zone.size_bytes),
                     zone.state, owner, fmt::join(zone.generations, " "));
}

std::string metric_lines(const ServerStatus& server) {
  std::string lines;
  for (const MetricStatus& metric : server.metrics) {
    lines += fmt::format("server {}: {} {}{}\n", server.name, metric.name, metric.value,
                         metric.help.empty() ? "" : fmt::format(" ({})", metric.help));
  }
  return lines;
}

// Of modules only those that have failed.
std::string module_line(const ModuleStatus& module) {
  const Recovery::Record& record = module.record;
  if (record.crashes + record.hangs == 0) return "";
  return fmt::format("module {}: crashes {}, hangs {}{}\n", module.name, record.crashes,
                     record.hangs,
                     record.is_quarantined ? ", quarantined: mend it, then reload" : "");
}

std::string rollback_lines(const RollbackStatus& rollback) {
  std::string lines;
  if (rollback.former != 0)
    lines += fmt::format("rollback: to generation {} for another {} s\n", rollback.former,
                         seconds(rollback.window_left));
  if (rollback.taken_back != 0)
    lines += fmt::format("rollback: generation {} was taken back\n", rollback.taken_back);
  return lines;
}

}  // namespace

std::string status_table(const StatusReport& report) {
  std::string out = fmt::format("drover {}, pid {}, up {} s\n", DROVER_VERSION, report.pid,
                                seconds(report.uptime));
  for (const auto& generation : report.generations) out += generation_lines(generation, report.now);
  for (const ListenerStatus& listener : report.listeners) out += listener_line(listener);
  for (const ZoneStatus& zone : report.zones) out += zone_line(zone);
  for (const auto& each : report.predecessors)
    out += fmt::format("predecessor pid {}: {} processes drain {} connections\n", each.pid,
                       each.processes, each.live);
  for (const ServerStatus& server : report.servers) out += metric_lines(server);
  for (const ModuleStatus& module : report.modules) out += module_line(module);
  return out + rollback_lines(report.rollback);
}

}  // namespace drover

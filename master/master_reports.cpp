// What the master tells of itself: the status, the plan of a reload, and what a reload has done.
#include <fmt/format.h>
#include <unistd.h>

#include "master/configuration.h"
#include "master/master.h"
#include "master/reload_report_text.h"
#include "master/status.h"

namespace drover {

// Also while a reload is under way: the plan is compared with what serves when it is made.
void Master::plan(ReloadPlanner::Format format, const Reply& reply) {
  planner_.plan(load_settings(options_), format, reply);
}

Reply Master::with_report_as_json(const Reply& reply) const {
  return [this, reply](int status, const std::string& text) {
    reply(status, status == 0 ? last_report_ : text);
  };
}

// For the log and for those who asked; the text for the terminal.
std::string Master::report_reload(const Generation& to) {
  ReloadReport report = compare(view_of(current_.get()), view_of(&to));
  report.validated = to.validated_after();
  report.ready = to.ready_after();
  last_report_ = report_json(report) + "\n";
  if (life_ == Life::kRunning) log_.info("reload report: {}", report_json(report));
  return fmt::format("reloaded: generation {}\n{}", to.number(), report_table(report));
}

std::string Master::status(bool is_json) const {
  StatusSource source;
  source.pid = getpid();
  source.uptime = monotonic_now() - started_;
  for (const Generation* generation : all_generations()) {
    if (!generation->is_over()) source.generations.push_back(generation);
  }
  source.listeners = &listeners_;
  source.retired = seats_.retired();
  const Predecessors::Counted before = predecessors_.counted();
  source.retired.add(before.totals);
  source.predecessors = predecessors_.remains();
  source.metrics = seats_.metrics();
  source.metrics.add_counters(before.metrics);
  source.limits = context_.limits;
  source.recovery = &recovery_;
  const StatusReport report = collect_status(source);
  return is_json ? status_json(report) : status_table(report);
}

}  // namespace drover

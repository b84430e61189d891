// The master's part when workers crash and hang more than it may be: returning to the former
// generation, and taking a module's servers out of service.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "master/master.h"

namespace drover {

// While another generation or a new binary is on its way it may be the cure; if it fails, the next
// loss asks again.
void Master::on_worker_lost(Generation& generation, const Child& child, int wait_status) {
  const WorkerLoss loss =
      blame(*child.seat(), child.was_hung(), wait_status, generation.settings());
  recovery_.count(loss);
  if (&generation != current_.get() || life_ != Life::kRunning) return;
  const Recovery::Remedy remedy = recovery_.judge(loss, monotonic_now());
  if (is_busy()) return;
  if (remedy == Recovery::Remedy::kReturn) return_to_former();
  if (remedy == Recovery::Remedy::kQuarantine) quarantine(loss.module);
}

// Only who may return to it keeps it.
void Master::inherit_former(Inheritance& inheritance) {
  recovery_.inherit(inheritance.heritage().failures);
  if (!inheritance.heritage().former || first_settings_.rollback_window == Millis{0}) return;
  Result<Former> former = take_former(inheritance, *context_.zones, options_.config.prefix);
  if (former) return recovery_.inherit(std::move(former).value());
  log_.warning("there will be no way back from this upgrade: {}", former.error().message());
}

void Master::return_to_former() {
  const Former& former = recovery_.begin_return();
  log_.error(
      "generation {} taken back: {} workers crashed within rollback_window, more than "
      "rollback_crashes = {}; returning to what generation {} ran. The files on disk are still the "
      "new ones: mend them, then reload",
      current_->number(), recovery_.crashes_in_window(), current_->settings().rollback_crashes,
      former.generation);
  if (Status opened = error_log_.take(former.settings); !opened) {
    log_.error("{}", opened.error().message());
  } else {
    begin_generation(former.settings, former.images);
  }
  if (coming_ == nullptr) recovery_.on_return_failed();
}

void Master::cancel_return() {
  coming_->abort();
  leaving_.push_back(std::move(coming_));
  error_log_.put_back();
  recovery_.cancel_return();
  burial_.start(context_.base, Millis{0}, this);
  begin_what_waits();
}

void Master::quarantine(const std::string& module) {
  recovery_.quarantine(module);
  const Settings& settings = current_->settings();
  const Recovery::Record& record = recovery_.modules().at(module);
  std::vector<std::uint32_t> servers;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < settings.servers.size(); ++i) {
    if (settings.servers[i].protocol != module) continue;
    servers.push_back(static_cast<std::uint32_t>(i));
    names.push_back(settings.servers[i].name);
  }
  log_.error(
      "module {} quarantined: more than max_crashes = {} crashes and hangs in {} s (crashes={} "
      "hangs={} in all); out of service: server={}. Mend it, then reload",
      module, settings.max_crashes, settings.max_crashes_window.count() / 1000, record.crashes,
      record.hangs, fmt::join(names, ","));
  current_->close_servers(servers);
  update_store();
}

}  // namespace drover

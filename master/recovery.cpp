#include "master/recovery.h"

#include <utility>

namespace drover {

void Recovery::inherit(const std::vector<MasterHeritage::Failures>& failures) {
  for (const auto& each : failures) modules_[each.module] = {each.crashes, each.hangs, false};
}

std::vector<MasterHeritage::Failures> Recovery::failures() const {
  std::vector<MasterHeritage::Failures> all;
  for (const auto& [name, record] : modules_) all.push_back({name, record.crashes, record.hangs});
  return all;
}

void Recovery::count(const WorkerLoss& loss) {
  const auto record = modules_.find(loss.module);
  if (record == modules_.end()) return;
  ++(loss.was_hung ? record->second.hangs : record->second.crashes);
}

// Quarantine counts in the window, too: what is not taken back is to be judged by all it did.
Recovery::Remedy Recovery::judge(const WorkerLoss& loss, Millis now) {
  const bool is_blamed = !loss.module.empty() && !modules_[loss.module].is_quarantined;
  const bool is_too_often = is_blamed && quarantine_.after_failure(loss.module, now);
  const bool is_window = rollback_.is_open(now);
  if (is_window) return rollback_.after_crash(now) ? Remedy::kReturn : Remedy::kNone;
  return is_too_often ? Remedy::kQuarantine : Remedy::kNone;
}

const Former& Recovery::begin_return() {
  is_returning_ = true;
  return *former_;
}

// The window may have ended meanwhile.
void Recovery::on_return_failed() {
  if (!std::exchange(is_returning_, false)) return;
  const bool is_last = rollback_.after_failed_return() || !rollback_.is_open(monotonic_now());
  context_.log->error("cannot return to generation {}: {}", former_->generation,
                      is_last ? "there is no way back any more" : "the way back stays open");
  if (is_last) let_go();
}

void Recovery::cancel_return() {
  is_returning_ = false;
  if (!rollback_.is_open(monotonic_now())) let_go();
}

void Recovery::on_serving(const Generation* former, const Generation& current) {
  const Settings& settings = current.settings();
  quarantine_ = QuarantinePolicy(settings.max_crashes, settings.max_crashes_window);
  std::map<std::string, Record> counted = std::exchange(modules_, {});
  for (const ServerSettings& server : settings.servers) {
    const Record& record = counted[server.protocol];
    modules_[server.protocol] = {record.crashes, record.hangs, false};
  }
  const bool is_return = std::exchange(is_returning_, false);
  taken_back_ = is_return && former != nullptr ? former->number() : 0;
  is_return ? end_window() : watch(former, current);
}

void Recovery::watch(const Generation* former, const Generation& current) {
  const Millis window = current.settings().rollback_window;
  const Millis now = monotonic_now();
  if (former != nullptr && !rollback_.is_open(now)) former_ = former_of(*former);
  if (window == Millis{0} || !former_) return end_window();
  rollback_.open(now + window, current.settings().rollback_crashes);
  window_.start(context_.base, window, this);
}

void Recovery::end_window() {
  window_.stop();
  rollback_.close();
  former_.reset();
}

// A return that has begun needs the former until it is done.
void Recovery::on_window_over() {
  if (is_returning_) return;
  context_.log->info("rollback_window is over: generation {} is kept no longer",
                     former_->generation);
  let_go();
}

void Recovery::let_go() {
  end_window();
  on_kept_no_longer_();
}

}  // namespace drover

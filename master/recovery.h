// What is done about workers that crash and hang beyond starting the next: counts them by module,
// and decides when the master returns to the former generation and when a module's servers are
// taken out of service. Until a reload has proved itself it keeps what the one before was made of:
// its settings, its modules as they were loaded, and its zones.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "master/context.h"
#include "master/crash_blame.h"
#include "master/former.h"
#include "master/generation.h"
#include "master/quarantine_policy.h"
#include "master/rollback_policy.h"

namespace drover {

class Recovery {
 public:
  enum class Remedy { kNone, kReturn, kQuarantine };
  struct Record {
    std::uint64_t crashes = 0;
    std::uint64_t hangs = 0;
    bool is_quarantined = false;
  };

  // `on_kept_no_longer`: the former's images and zones have been let go.
  Recovery(MasterContext& context, std::function<void()> on_kept_no_longer)
      : context_(context), on_kept_no_longer_(std::move(on_kept_no_longer)) {}

  // Before the first generation serves: what a predecessor served, and what it counted.
  void inherit(Former former) { former_ = std::move(former); }
  void inherit(const std::vector<MasterHeritage::Failures>& failures);
  [[nodiscard]] std::vector<MasterHeritage::Failures> failures() const;

  // Counts a worker of any generation.
  void count(const WorkerLoss& loss);
  // What is to be done about one of the generation that serves. Within the window of a reload that
  // is to return or nothing, after it quarantine or nothing. Whoever cannot do it now leaves it,
  // and is told the same at the next loss.
  [[nodiscard]] Remedy judge(const WorkerLoss& loss, Millis now);

  // The way back is taken: what to build.
  const Former& begin_return();
  // It could not be built; nothing, when none was under way.
  void on_return_failed();
  // It is not wanted any more.
  void cancel_return();
  [[nodiscard]] bool is_returning() const { return is_returning_; }
  void quarantine(const std::string& module) { modules_[module].is_quarantined = true; }
  // `current` serves in place of `former`; null: of nobody, or of what was inherited. Quarantine
  // ends; a return opens no window, and one that is open when a reload comes goes over to it with
  // the same former, for nobody knows yet whether the one between is good.
  void on_serving(const Generation* former, const Generation& current);

  // By module, those that servers name.
  [[nodiscard]] const std::map<std::string, Record>& modules() const { return modules_; }
  [[nodiscard]] int crashes_in_window() const { return rollback_.crashes(); }
  [[nodiscard]] Millis window_left() const { return rollback_.left(monotonic_now()); }
  // The one that a return leads to; null when there is no window.
  [[nodiscard]] const Former* former() const { return former_ ? &*former_ : nullptr; }
  // The generation that was taken back for the one that serves; 0: none was.
  [[nodiscard]] std::uint32_t taken_back() const { return taken_back_; }

 private:
  void watch(const Generation* former, const Generation& current);
  void end_window();
  void let_go();
  void on_window_over();

  MasterContext& context_;
  std::function<void()> on_kept_no_longer_;
  std::map<std::string, Record> modules_;
  QuarantinePolicy quarantine_;
  RollbackPolicy rollback_;
  std::optional<Former> former_;
  bool is_returning_ = false;
  std::uint32_t taken_back_ = 0;
  Timer<&Recovery::on_window_over> window_;
};

}  // namespace drover

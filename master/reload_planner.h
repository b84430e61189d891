// `drover -s reload --plan`: what a reload would change, without one. The configuration is read and
// a validator is asked whether the modules accept it; nothing is bound, opened or told to the
// generation that serves, and no generation is made.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "common/config.h"
#include "master/control_server.h"
#include "master/generation.h"
#include "master/reload_report.h"

namespace drover {

// What serves, or is ready to; null: nothing, without workers.
[[nodiscard]] ConfigurationView view_of(const Generation* generation);

class ReloadPlanner {
 public:
  enum class Format { kTable, kJson };

  // `serving` gives the generation to compare with, null when none serves.
  ReloadPlanner(MasterContext& context, Seats& seats, std::function<const Generation*()> serving);
  ReloadPlanner(const ReloadPlanner&) = delete;
  ReloadPlanner& operator=(const ReloadPlanner&) = delete;
  // Who still waits gets no answer.
  ~ReloadPlanner();

  // Answers now when it can say already that a reload would be refused, else when the validator has
  // ended.
  void plan(ConfigResult config, Format format, const Reply& reply);
  // True when the process was a validator of a plan.
  bool on_exit(pid_t pid, int wait_status);

 private:
  struct Plan;
  Status begin(Plan& plan);
  void answer(const Plan& plan, const std::string& why_not) const;

  MasterContext& context_;
  Seats& seats_;
  std::function<const Generation*()> serving_;
  std::vector<std::unique_ptr<Plan>> plans_;
};

}  // namespace drover

// A validator's short life: forked with the generation's module images, it loads them as the
// workers' user would, checks the configuration against them, says yes or why not, and ends. What
// crashes or hangs in it costs nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/helpers.h"
#include "master/child.h"
#include "master/module_images.h"

namespace drover {

// What is to be checked; must outlive the validation.
struct Candidate {
  const Settings* settings = nullptr;
  const std::vector<ModuleImage>* images = nullptr;
  int slots = 1;
  std::uint32_t generation = 0;  // for its name in the log
};

class Validation final : private Child::Keeper {
 public:
  // Called once: empty `why`: the configuration is good.
  using OnDone = std::function<void(const std::string& why)>;

  Validation(MasterContext& context, OnDone on_done)
      : context_(context), on_done_(std::move(on_done)) {}
  Validation(const Validation&) = delete;
  Validation& operator=(const Validation&) = delete;

  Status start(Seats& seats, const Candidate& candidate);
  // True when the process was ours; the verdict is given then.
  bool on_exit(pid_t pid, int wait_status);
  [[nodiscard]] bool is_running() const { return child_ != nullptr; }
  // What modules count, by module; after the verdict.
  [[nodiscard]] const std::map<std::string, Metrics>& metrics() const { return metrics_; }
  // What the modules asked for; complete with the verdict.
  [[nodiscard]] const std::vector<HelperName>& helpers() const { return helpers_.all(); }
  // Gives up without a verdict.
  void abort();

 private:
  void on_child_ready(Child& child) override;
  void on_child_failed(Child& child, const std::string& why) override;
  void on_child_leaving(Child& /*child*/) override {}
  void on_child_reopened_logs(Child& /*child*/, std::uint64_t /*serial*/) override {}
  void on_child_wants_helper(Child& child, const Message& message) override;
  void on_timeout();
  [[nodiscard]] std::string doing() const;

  MasterContext& context_;
  OnDone on_done_;
  std::unique_ptr<Child> child_;
  bool said_yes_ = false;
  std::string why_not_;
  std::map<std::string, Metrics> metrics_;
  HelperList helpers_{0};
  Timer<&Validation::on_timeout> timeout_;
};

}  // namespace drover

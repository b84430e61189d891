#include "master/config_test.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <optional>

#include "master/generation.h"

namespace drover {
namespace {

// A generation that goes no further than its validator.
class ConfigTest final : private Generation::Owner {
 public:
  explicit ConfigTest(const RoleMains& roles)
      : owner_(&log_, roles, false),
        context_(owner_.context()),
        seats_(context_),
        listeners_(context_, [](std::uint32_t) {}) {
    log_.set_level(LogLevel::kError);
  }

  // Nothing, or why the configuration is not good.
  std::optional<std::string> run(const Settings& settings) {
    child_.start(context_.base, SIGCHLD, this);
    Generation::Owner* me = this;
    generation_ = std::make_unique<Generation>(context_, seats_, listeners_, 1, settings, me);
    if (Status validating = generation_->validate(); !validating)
      return validating.error().message();
    event_base_dispatch(context_.base);
    return why_not_;
  }

 private:
  void on_generation_validated(Generation& /*generation*/) override {
    event_base_loopbreak(context_.base);
  }
  void on_generation_failed(Generation& /*generation*/, const std::string& why) override {
    why_not_ = why;
    event_base_loopbreak(context_.base);
  }
  void on_generation_ready(Generation& /*generation*/) override {}
  void on_generation_steering_changed(Generation& /*generation*/) override {}
  void on_logs_reopened(int /*pid*/, std::uint64_t /*serial*/) override {}
  void on_worker_lost(Generation& /*generation*/, const Child& /*child*/,
                      int /*wait_status*/) override {}
  void on_child(int /*number*/) {
    int wait_status = 0;
    const pid_t pid = waitpid(-1, &wait_status, WNOHANG);
    if (pid > 0) generation_->on_exit(pid, wait_status);
  }

  Log log_;
  ContextOwner owner_;
  MasterContext& context_;
  Seats seats_;
  Listeners listeners_;
  std::unique_ptr<Generation> generation_;
  std::optional<std::string> why_not_;
  Signal<&ConfigTest::on_child> child_;
};

}  // namespace

int test_config(const Options& options, const Settings& settings, const RoleMains& roles) {
  ConfigTest test(roles);
  if (const auto why_not = test.run(settings)) {
    fmt::print(stderr, "{}\ndrover: configuration {} is not valid\n", *why_not,
               options.config.path);
    return 1;
  }
  if (options.action == Options::Action::kDump) fmt::print("{}", dump_settings(settings));
  if (!options.is_quiet)
    fmt::print(stderr, "drover: configuration {} is good\n", options.config.path);
  return 0;
}

}  // namespace drover

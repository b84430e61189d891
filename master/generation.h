// One configuration and the processes that serve it, from validation to the last connection of its
// drain. A generation that fails before it serves leaves nothing behind and harms no other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/settings.h"
#include "master/listeners.h"
#include "master/module_images.h"
#include "master/validation.h"
#include "master/worker_pool.h"
#include "master/zones.h"

namespace drover {

// What is given to who drains beyond max_draining.
inline constexpr Millis kCut{10'000};

class Generation final : private WorkerPool::Owner {
 public:
  enum class State { kValidating, kStarting, kServing, kDraining, kFailed };
  [[nodiscard]] static const char* to_string(State state);

  // Told once each, in this order; on_failed instead of what has not happened yet.
  struct Owner {
    virtual void on_generation_validated(Generation& generation) = 0;
    virtual void on_generation_ready(Generation& generation) = 0;  // all READY, none serves yet
    virtual void on_generation_failed(Generation& generation, const std::string& why) = 0;
    virtual void on_generation_steering_changed(Generation& generation) = 0;
    virtual void on_logs_reopened(int pid, std::uint64_t serial) = 0;
    // One ended otherwise than in order; before its slot is filled again.
    virtual void on_worker_lost(Generation& generation, const Child& child, int wait_status) = 0;

   protected:
    ~Owner() = default;
  };

  Generation(MasterContext& context, Seats& seats, Listeners& listeners, std::uint32_t number,
             Settings settings, Owner* owner);
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;
  ~Generation();

  // Copies the modules, unless it is given those of another generation, and starts the validator.
  Status validate(ModuleImages images = nullptr);
  // Opens what is new and forks everybody; after on_generation_validated.
  Status start();
  // Lets the listeners listen and everybody accept. Returns the listeners this generation has no
  // longer.
  Result<std::vector<std::uint32_t>> serve();
  // A later call may shorten the time, never lengthen it. False: it had no more than that already.
  bool drain(Millis timeout, const std::vector<std::uint32_t>& removed_listeners);
  // While it serves: these servers (indices in the settings) are out of service from now on. Their
  // listeners close, their connections end, nothing of them runs in workers any more.
  void close_servers(const std::vector<std::uint32_t>& servers);
  // Kills what there is and gives up what was not committed.
  void abort();
  bool on_exit(pid_t pid, int wait_status);
  // No process is left; the object may go.
  [[nodiscard]] bool is_over() const;

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const WorkerPool& pool() const { return *pool_; }
  [[nodiscard]] WorkerPool& pool() { return *pool_; }
  [[nodiscard]] Board& board() const { return context_.scoreboard->board_of(number_); }
  [[nodiscard]] const std::vector<ModuleImage>& images() const { return *images_; }
  [[nodiscard]] ModuleImages kept_images() const { return images_; }
  [[nodiscard]] const ZoneSet& zones() const { return zones_; }
  [[nodiscard]] const std::vector<std::uint32_t>& closed_servers() const { return closed_servers_; }
  // What its servers count; after it was started.
  [[nodiscard]] const MetricLayout& metrics() const { return *metric_layout_; }
  // In the order of the pool's helpers.
  [[nodiscard]] const std::vector<HelperName>& helpers() const { return validation_.helpers(); }
  // What a worker of it may have, resolved.
  [[nodiscard]] std::int64_t worker_connections() const { return worker_connections_; }
  // Since it was made.
  [[nodiscard]] Millis validated_after() const { return validated_after_; }
  [[nodiscard]] Millis ready_after() const { return ready_after_; }
  void ring_all() const;
  void set_access_logs(std::vector<UniqueFd> logs) { access_logs_ = std::move(logs); }
  [[nodiscard]] std::vector<int> access_log_fds() const;  // of servers that have one, in order
  [[nodiscard]] std::vector<std::string> warnings() const { return warnings_; }

 private:
  Heritage heritage_for(Role role, int slot) override;
  void on_all_ready() override;
  void on_start_failed(const std::string& why) override;
  void on_steering_changed() override { owner_->on_generation_steering_changed(*this); }
  void on_child_lost(const Child& child, int wait_status) override;
  void on_logs_reopened(int pid, std::uint64_t serial) override {
    owner_->on_logs_reopened(pid, serial);
  }
  void on_helpers_told() override;

  void on_validated(const std::string& why);
  void on_not_ready_in_time();
  void expect_drained();
  void on_drain_overdue();
  void fail(const std::string& why);
  void add_helpers();
  Status make_passing_pairs();
  [[nodiscard]] MetricLayout lay_out_metrics() const;
  void settle_worker_connections();
  [[nodiscard]] bool has_acceptor() const;

  MasterContext& context_;
  Seats& seats_;
  Listeners& listeners_;
  std::uint32_t number_;
  Settings settings_;
  int slots_;
  Owner* owner_;
  State state_ = State::kValidating;
  Millis began_ = monotonic_now();
  Millis validated_after_{0};
  Millis ready_after_{0};
  std::vector<std::string> warnings_;
  std::int64_t worker_connections_ = 0;
  ModuleImages images_ = std::make_shared<std::vector<ModuleImage>>();
  std::vector<UniqueFd> access_logs_;
  std::shared_ptr<const MetricLayout> metric_layout_ = std::make_shared<MetricLayout>();
  ZoneSet zones_;
  std::vector<UniqueFd> doorbells_;         // by slot
  std::vector<UniqueFd> helper_doorbells_;  // by index of helpers()
  std::vector<SocketPair> passing_;         // by slot: first sends, second receives
  ListenPlan plan_;
  std::vector<std::uint32_t> closed_servers_;
  Validation validation_;
  std::unique_ptr<WorkerPool> pool_;
  Timer<&Generation::on_not_ready_in_time> ready_timeout_;
  Millis drain_deadline_ = Millis::max();
  Timer<&Generation::on_drain_overdue> overdue_;
};

}  // namespace drover

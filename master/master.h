// The master: owns the loop, the listeners and the generations, obeys signals and the control
// socket. It never reads a client's byte and never loads a module.
#pragma once

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "master/control_server.h"
#include "master/descriptor_limit.h"
#include "master/error_log.h"
#include "master/fd_store.h"
#include "master/generation.h"
#include "master/log_reopening.h"
#include "master/notify.h"
#include "master/options.h"
#include "master/passed_fds.h"
#include "master/pid_file.h"
#include "master/predecessors.h"
#include "master/recovery.h"
#include "master/reload_planner.h"
#include "master/start_report.h"
#include "master/succession.h"
#include "master/upgrade.h"
#include "master/watchdog.h"

namespace drover {

class Master final : private Generation::Owner,
                     private Watchdog::Owner,
                     private Upgrade::Owner,
                     private Predecessors::Owner {
 public:
  // What a master is made of. `to_predecessor` is the channel of an upgrade, else closed.
  struct Parts {
    Options options;
    RoleMains roles;
    Launch launch;
    Settings settings;
    Log log;
    StartReport report;
    UniqueFd to_predecessor;
    std::vector<PassedFd> passed;  // by systemd
  };
  explicit Master(Parts parts);
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;
  ~Master();

  // Serves until told to stop; the exit status.
  int run();

 private:
  enum class Life { kStarting, kRunning, kHandedOver, kStopping };
  static constexpr Millis kFastStop{1'000};  // what -s stop gives the workers to leave
  static constexpr const char* kGoesOn = "reload refused: the running configuration goes on\n";

  Status prepare();

  // requests (master_requests.cpp)
  void on_signal(int number);
  void on_command(const std::string& command, const Reply& reply);
  void reload(const Reply& reply);
  void plan(ReloadPlanner::Format format, const Reply& reply);
  [[nodiscard]] Reply with_report_as_json(const Reply& reply) const;
  [[nodiscard]] std::string report_reload(const Generation& to);
  void reopen_logs(const Reply& reply);
  void drain_workers();
  void upgrade(const Reply& reply);
  void stop(Millis timeout, const Reply& reply);
  [[nodiscard]] std::string status(bool is_json) const;
  void answer_reload(int status, const std::string& text);
  void begin_what_waits();
  void refuse_what_waits();

  // generations
  // Without images: the modules as they are on disk.
  void begin_generation(Settings settings, ModuleImages images = nullptr);
  [[nodiscard]] bool is_board_free(std::uint32_t number) const;

  // what generations and children tell
  void on_generation_validated(Generation& generation) override;
  void on_generation_ready(Generation& generation) override;
  void on_generation_failed(Generation& generation, const std::string& why) override;
  void on_generation_steering_changed(Generation& generation) override;
  void on_logs_reopened(int pid, std::uint64_t serial) override;
  void on_worker_lost(Generation& generation, const Child& child, int wait_status) override;
  void on_upgrade_succeeded(const std::vector<std::uint32_t>& removed) override;
  void on_upgrade_failed(const std::string& why) override;
  void on_successor_changed(pid_t pid) override;
  void on_predecessor_gone(pid_t pid, const Predecessors::Counted& counted,
                           bool was_unwatched) override;
  std::vector<Watchdog::Watched> watched_children() override;
  void on_silent(const std::vector<pid_t>& silent) override;

  // recovery (master_recovery.cpp, with on_worker_lost)
  void inherit_former(Inheritance& inheritance);
  void return_to_former();
  void cancel_return();
  void quarantine(const std::string& module);

  // succession (master_succession.cpp)
  Status find_heritage();
  enum class Ancestor { kMaster, kOrphan };
  void inherit(Inheritance inheritance, UniqueFd channel, Ancestor ancestor);
  Status open_pid_file();
  Status open_control();
  void stop_predecessors(Millis timeout);
  void take_over(const std::vector<std::uint32_t>& removed);
  [[nodiscard]] MasterHeritage heritage() const;
  [[nodiscard]] Millis upgrade_patience() const;
  void answer_upgrade(int status, const std::string& text);
  void pass_on_requests(pid_t successor);
  void follow_successor();
  void drain_within(Millis timeout);
  void tell_keeper();
  void unlink_former_paths() const;
  [[nodiscard]] bool is_for_successor(int number);
  [[nodiscard]] bool leaves_with_successor();
  bool on_successors_exit(pid_t pid, int wait_status);
  // A reload or an upgrade is under way.
  [[nodiscard]] bool is_busy() const { return coming_ != nullptr || upgrade_ != nullptr; }

  // systemd (master_service.cpp)
  [[nodiscard]] std::string state_line() const;
  void begin_to_speak();
  Result<SortedFds> sort_passed();
  Status use_passed_fds();
  Status use_lent_fds();
  [[nodiscard]] std::vector<StoredFd> to_be_stored() const;
  void update_store();

  void reap();
  void retire_former(const std::vector<std::uint32_t>& removed_listeners);
  void cut_oldest_beyond_limit();
  void bury_the_dead();
  void leave_when_empty();
  [[nodiscard]] std::vector<Generation*> all_generations() const;

  Options options_;
  Launch launch_;
  ErrorLog error_log_;
  Log& log_;
  StartReport report_;
  Settings first_settings_;
  struct {
    std::string pid;
    std::string control;
  } paths_;  // as first configured; a reload does not move them
  UniqueFd to_predecessor_;
  std::vector<PassedFd> passed_;  // until it is known whether they are of use
  ContextOwner owner_;
  MasterContext& context_;
  Seats seats_;
  Listeners listeners_;
  std::optional<PidFile> pid_file_;
  std::unique_ptr<ControlServer> control_;
  Predecessors predecessors_;
  std::optional<Inheritance> inheritance_;  // until this master has taken over
  Ancestor ancestor_ = Ancestor::kMaster;   // of the inheritance
  std::optional<Succession> succession_;
  std::unique_ptr<Upgrade> upgrade_;  // the other way round
  LogReopening reopening_;
  DescriptorLimit descriptor_limit_;
  Recovery recovery_;
  Watchdog watchdog_;
  Notify notify_;
  FdStore store_{notify_};
  ReloadPlanner planner_;

  Life life_ = Life::kStarting;
  int exit_status_ = 0;
  Millis started_;
  std::uint32_t next_generation_ = 1;
  std::unique_ptr<Generation> current_;               // serves
  std::unique_ptr<Generation> coming_;                // is being built
  std::vector<std::unique_ptr<Generation>> leaving_;  // drain or have failed, oldest first
  std::string last_report_;                           // of the last reload, JSON
  std::vector<Reply> reload_askers_;                  // of the one being built
  std::vector<Reply> next_reload_askers_;             // came while one was being built
  std::vector<Reply> reopen_askers_;                  // came while one was being built
  std::vector<Reply> stop_askers_;
  std::vector<Reply> upgrade_askers_;
  std::vector<Reply> next_upgrade_askers_;  // came while a generation was being built
  std::vector<std::unique_ptr<Signal<&Master::on_signal>>> signals_;
  Timer<&Master::bury_the_dead> burial_;
  pid_t successor_ = 0;
  bool is_keeper_;      // stays in the foreground after it has handed over
  UniqueFd keeper_fd_;  // to one that does
  Timer<&Master::follow_successor> follow_;
};

}  // namespace drover

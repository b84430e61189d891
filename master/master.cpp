#include "master/master.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "common/fault.h"
#include "common/process.h"

namespace drover {

Master::Master(Parts parts)
    : options_(std::move(parts.options)),
      launch_(std::move(parts.launch)),
      error_log_(std::move(parts.log), parts.settings, options_.is_foreground),
      log_(error_log_.log()),
      report_(std::move(parts.report)),
      first_settings_(std::move(parts.settings)),
      paths_{first_settings_.pid, first_settings_.control},
      to_predecessor_(std::move(parts.to_predecessor)),
      passed_(std::move(parts.passed)),
      owner_(&log_, parts.roles, !options_.is_foreground),
      context_(owner_.context()),
      seats_(context_),
      listeners_(context_,
                 [this](std::uint32_t id) {
                   for (const Generation* generation : all_generations()) {
                     for (Child* child : generation->pool().children()) child->close_listener(id);
                   }
                   update_store();
                 }),
      predecessors_(context_, this),
      reopening_(context_.base),
      recovery_(context_,
                [this] {
                  if (life_ == Life::kRunning) update_store();
                }),
      watchdog_(context_, this),
      notify_(context_.base, &log_, [this] { return state_line(); }),
      planner_(context_, seats_, [this] { return current_.get(); }),
      started_(monotonic_now()),
      is_keeper_(options_.is_foreground && !Notify::is_wanted()) {}

Master::~Master() = default;

int Master::run() {
  set_process_title(to_predecessor_.is_open() ? "drover: new master" : "drover: master");
  if (Status prepared = prepare(); !prepared) {
    log_.error("cannot start: {}", prepared.error().message());
    report_.fail("drover: " + prepared.error().message() + "\n");
    return 1;
  }
  begin_generation(std::move(first_settings_));
  event_base_dispatch(context_.base);
  seats_.leave();
  pid_file_.reset();
  for (const Reply& reply : stop_askers_) reply(0, "stopped\n");
  control_.reset();
  log_.notice("stopped: status={}", exit_status_);
  return exit_status_;
}

Status Master::prepare() {
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD}) {
    signals_.push_back(std::make_unique<Signal<&Master::on_signal>>());
    signals_.back()->start(context_.base, number, this);
  }
  std::signal(SIGPIPE, SIG_IGN);
  DROVER_TRY_DO(find_heritage());
  descriptor_limit_.note_inherited();
  DROVER_TRY_DO(open_pid_file());
  DROVER_TRY_DO(open_control());
  if (!first_settings_.working_directory.empty() &&
      chdir(first_settings_.working_directory.c_str()) != 0) {
    return Error::from_errno("working_directory " + first_settings_.working_directory);
  }
  return Done{};
}

void Master::begin_generation(Settings settings, ModuleImages images) {
  descriptor_limit_.set(settings.rlimit_nofile, log_);
  // A number whose board a generation of long ago still uses is passed over.
  const std::uint32_t first = next_generation_;
  while (!is_board_free(next_generation_)) {
    if (++next_generation_ - first < kBoards) continue;
    error_log_.put_back();
    log_.error("reload refused: {} generations still drain", leaving_.size());
    return answer_reload(1, std::string("too many generations still drain\n") + kGoesOn);
  }
  Generation::Owner* me = this;
  coming_ = std::make_unique<Generation>(context_, seats_, listeners_, next_generation_++,
                                         std::move(settings), me);
  if (Status validating = coming_->validate(std::move(images)); !validating) {
    Generation& generation = *coming_;
    generation.abort();
    on_generation_failed(generation, validating.error().message());
  }
}

bool Master::is_board_free(std::uint32_t number) const {
  const std::vector<Generation*> all = all_generations();
  return std::none_of(all.begin(), all.end(), [number](const Generation* generation) {
    return generation->number() % kBoards == number % kBoards;
  });
}

void Master::on_generation_validated(Generation& generation) {
  if (Status started = generation.start(); !started) {
    generation.abort();
    return on_generation_failed(generation, started.error().message());
  }
  for (const std::string& warning : generation.warnings()) log_.warning("{}", warning);
}

void Master::on_generation_ready(Generation& generation) {
  auto removed = generation.serve();
  if (!removed) {
    generation.abort();
    return on_generation_failed(generation, removed.error().message());
  }
  const std::string report = report_reload(generation);
  retire_former(removed.value());
  take_over(removed.value());
  const Settings& settings = current_->settings();
  watchdog_.start(settings.steer_after, settings.hang_timeout);
  log_.notice("serving: generation={} workers={} servers={}", current_->number(),
              current_->pool().workers().size(), settings.servers.size());
  life_ = Life::kRunning;
  error_log_.keep();
  report_.succeed();
  notify_.ready();
  update_store();
  answer_reload(0, report);
}

// The generation that was being built serves; the one that did drains.
void Master::retire_former(const std::vector<std::uint32_t>& removed_listeners) {
  std::unique_ptr<Generation> former = std::exchange(current_, std::move(coming_));
  recovery_.on_serving(former.get(), *current_);
  if (former == nullptr) return;
  former->drain(former->settings().worker_shutdown_timeout, removed_listeners);
  leaving_.push_back(std::move(former));
  cut_oldest_beyond_limit();
  burial_.start(context_.base, Millis{0}, this);
}

void Master::cut_oldest_beyond_limit() {
  const auto most = static_cast<std::ptrdiff_t>(current_->settings().max_draining);
  auto draining = std::count_if(leaving_.begin(), leaving_.end(), [](const auto& generation) {
    return generation->state() == Generation::State::kDraining && !generation->is_over();
  });
  for (const auto& generation : leaving_) {
    if (draining <= most) return;
    if (generation->state() != Generation::State::kDraining || generation->is_over()) continue;
    --draining;
    if (!generation->drain(kCut, {})) continue;
    log_.warning("generation {} cut: more than max_draining={} drain", generation->number(), most);
  }
}

void Master::on_generation_failed(Generation& generation, const std::string& why) {
  const bool is_first = current_ == nullptr && life_ == Life::kStarting;
  if (is_first) life_ = Life::kStopping;
  error_log_.put_back();
  if (current_ != nullptr) descriptor_limit_.set(current_->settings().rlimit_nofile, log_);
  log_.error_lines(fmt::format("generation {} failed: ", generation.number()), why);
  leaving_.push_back(std::move(coming_));
  recovery_.on_return_failed();
  burial_.start(context_.base, Millis{0}, this);
  answer_reload(1, fmt::format("{}\n{}", why, kGoesOn));
  if (!is_first) return;
  exit_status_ = 1;
  report_.fail("drover: " + why + "\n");
  stop_predecessors(kFastStop);
  leave_when_empty();
}

void Master::on_generation_steering_changed(Generation& generation) {
  if (&generation != current_.get()) return;
  listeners_.steer(&generation.board());
  generation.ring_all();
}

void Master::on_logs_reopened(int pid, std::uint64_t serial) {
  reopening_.on_reopened(pid, serial);
}

void Master::reap() {
  pause_point("master.reap");
  int wait_status = 0;
  pid_t pid = 0;
  if (leaves_with_successor()) return;
  while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
    reopening_.on_exit(pid);
    if (on_successors_exit(pid, wait_status)) continue;
    if (planner_.on_exit(pid, wait_status)) continue;
    const std::vector<Generation*> all = all_generations();
    const auto whose = std::find_if(all.begin(), all.end(), [&](Generation* generation) {
      return generation->on_exit(pid, wait_status);
    });
    // It may have been woken, alone of all, for a connection that others can take.
    const bool had_left = whose != all.end() && *whose != current_.get();
    if (had_left && current_ != nullptr) current_->ring_all();
  }
  bury_the_dead();
}

void Master::bury_the_dead() {
  if (life_ == Life::kHandedOver && !is_keeper_) upgrade_.reset();
  std::erase_if(leaving_, [this](const auto& generation) {
    if (!generation->is_over()) return false;
    if (generation->state() == Generation::State::kDraining)
      log_.info("retired: generation={}", generation->number());
    return true;
  });
  if (life_ == Life::kRunning) update_store();  // zones may have gone
  leave_when_empty();
}

// A stop ends what is left of predecessors, too; who has handed over leaves that to the successor.
void Master::leave_when_empty() {
  const bool is_empty = std::all_of(leaving_.begin(), leaving_.end(),
                                    [](const auto& each) { return each->is_over(); });
  const bool has_stopped =
      life_ == Life::kStopping && upgrade_ == nullptr && predecessors_.is_empty();
  const bool has_handed_over = is_empty && life_ == Life::kHandedOver;
  if (is_empty && (has_stopped || has_handed_over))
    context_.scoreboard->head.master_pid = 0;  // a successor waits for it
  if ((is_empty && has_stopped) || (has_handed_over && !is_keeper_))
    event_base_loopexit(context_.base, nullptr);
}

std::vector<Generation*> Master::all_generations() const {
  std::vector<Generation*> all;
  if (current_ != nullptr) all.push_back(current_.get());
  if (coming_ != nullptr) all.push_back(coming_.get());
  for (const auto& generation : leaving_) all.push_back(generation.get());
  return all;
}

std::vector<Watchdog::Watched> Master::watched_children() {
  std::vector<Watchdog::Watched> watched;
  for (Generation* generation : all_generations()) {
    if (generation == coming_.get()) continue;  // ready_timeout watches over it
    for (Child* child : generation->pool().children()) {
      if (child->state() == Child::State::kStarting) continue;
      if (child->role() == Role::kHelper) continue;  // it may wait for its disk
      const bool is_serving = generation == current_.get() && child->role() == Role::kWorker &&
                              child->state() == Child::State::kServing;
      watched.push_back({child, is_serving});
    }
  }
  return watched;
}

void Master::on_silent(const std::vector<pid_t>& silent) {
  if (current_ != nullptr) current_->pool().set_silent(silent);
}

}  // namespace drover

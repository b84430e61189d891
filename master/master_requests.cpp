// What the master is asked for, by signals and through the control socket.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "common/control.h"
#include "master/configuration.h"
#include "master/master.h"

namespace drover {
namespace {

const Reply kNobody = [](int, const std::string&) {};

}  // namespace

void Master::on_signal(int number) {
  if (is_for_successor(number)) return;
  switch (number) {
    case SIGCHLD:
      return reap();
    case SIGHUP:
      return reload(kNobody);
    case SIGUSR1:
      return reopen_logs(kNobody);
    case SIGUSR2:
      return upgrade(kNobody);
    case SIGWINCH:
      return options_.is_foreground ? void() : drain_workers();
    case SIGQUIT:
      return stop(current_ ? current_->settings().worker_shutdown_timeout : kFastStop, kNobody);
    default:
      return stop(Millis{0}, kNobody);
  }
}

void Master::on_command(const std::string& command, const Reply& reply) {
  if (life_ == Life::kHandedOver) return reply(1, "another master has taken over: ask again\n");
  if (command == "reload") return reload(reply);
  if (command == "reload --json") return reload(with_report_as_json(reply));
  if (command == "reload --plan") return plan(ReloadPlanner::Format::kTable, reply);
  if (command == "reload --plan --json") return plan(ReloadPlanner::Format::kJson, reply);
  if (command == "reopen") return reopen_logs(reply);
  if (command == "upgrade") return upgrade(reply);
  if (command == kAdoptCommand) return reply(1, fmt::format("already running, pid {}\n", getpid()));
  if (command == "stop") return stop(Millis{0}, reply);
  if (command == "quit") {
    return stop(current_ ? current_->settings().worker_shutdown_timeout : kFastStop, reply);
  }
  if (command == "status") return reply(0, status(false));
  if (command == "status --json") return reply(0, status(true));
  reply(1, fmt::format("unknown command \"{}\"\n", command.substr(0, 64)));
}

// A reload that comes while one is under way is done after it, with what the files say then.
void Master::reload(const Reply& reply) {
  if (life_ == Life::kStopping) return reply(1, "not reloaded: the daemon is stopping\n");
  if (is_busy()) return next_reload_askers_.push_back(reply);
  reload_askers_.push_back(reply);
  notify_.reloading();
  ConfigResult config = load_settings(options_);
  for (const std::string& warning : config.warnings) log_.warning("{}", warning);
  if (!config.ok()) {
    std::string text;
    for (const std::string& error : config.errors) {
      log_.error("{}", error);
      text += error + "\n";
    }
    log_.error("reload refused: the configuration is not valid, the running one goes on");
    return answer_reload(1, text + kGoesOn);
  }
  if (Status opened = error_log_.take(config.settings); !opened) {
    log_.error("reload refused: {}", opened.error().message());
    return answer_reload(1, opened.error().message() + "\n" + kGoesOn);
  }
  begin_generation(std::move(config.settings));
}

void Master::answer_reload(int status, const std::string& text) {
  notify_.reloaded(status == 0 ? "" : text);
  for (const Reply& reply : std::exchange(reload_askers_, {})) reply(status, text);
  begin_what_waits();
}

// Reloads before upgrades: the last of them begins when no reload waits any more.
void Master::begin_what_waits() {
  if (life_ == Life::kStopping) return refuse_what_waits();
  for (const Reply& reply : std::exchange(reopen_askers_, {})) reopen_logs(reply);
  std::vector<Reply> next = std::exchange(next_reload_askers_, {});
  std::vector<Reply> upgrades = std::exchange(next_upgrade_askers_, {});
  if (next.empty()) {
    for (const Reply& reply : upgrades) upgrade(reply);
    return;
  }
  next_upgrade_askers_ = std::move(upgrades);
  reload_askers_.assign(next.begin() + 1, next.end());
  reload(next.front());
}

void Master::refuse_what_waits() {
  for (const auto& [askers, what] : {std::pair(&reopen_askers_, "reopened"),
                                     {&next_reload_askers_, "reloaded"},
                                     {&next_upgrade_askers_, "upgraded"}}) {
    for (const Reply& reply : std::exchange(*askers, {}))
      reply(1, fmt::format("not {}: the daemon is stopping\n", what));
  }
}

// Not while a generation is being built: if that fails, the log that it named goes and the former
// one is back, as it was opened.
void Master::reopen_logs(const Reply& reply) {
  if (is_busy()) return reopen_askers_.push_back(reply);
  reopening_.begin(error_log_, all_generations(), reply);
}

// A return was the master's own idea; who asks for a drain wants nobody to serve.
void Master::drain_workers() {
  if (current_ == nullptr) return;
  if (upgrade_ != nullptr) return log_.warning("not drained: an upgrade is under way");
  log_.notice("draining: generation={}, reload to serve again", current_->number());
  current_->drain(current_->settings().worker_shutdown_timeout, {});
  leaving_.push_back(std::move(current_));
  if (recovery_.is_returning()) cancel_return();
}

// A second, faster stop shortens the first.
void Master::stop(Millis timeout, const Reply& reply) {
  log_.notice("stopping: within {} ms", timeout.count());
  if (life_ == Life::kHandedOver) return drain_within(timeout);  // what else is there is another's
  stop_predecessors(timeout);
  life_ = Life::kStopping;
  notify_.stopping();
  stop_askers_.push_back(reply);
  if (upgrade_ != nullptr) upgrade_->abort("the daemon is stopping");
  if (coming_ != nullptr) {
    coming_->abort();
    leaving_.push_back(std::move(coming_));
  }
  answer_reload(1, "not reloaded: the daemon is stopping\n");
  if (current_ != nullptr) leaving_.push_back(std::move(current_));
  const std::vector<std::uint32_t> closed = listeners_.close_all();
  update_store();
  for (const auto& generation : leaving_) {
    if (generation->state() != Generation::State::kFailed) generation->drain(timeout, closed);
  }
  leave_when_empty();
}

}  // namespace drover

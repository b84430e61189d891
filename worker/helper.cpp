#include "worker/helper.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "common/channel.h"
#include "common/check.h"
#include "common/event.h"
#include "common/fault.h"
#include "common/process.h"
#include "worker/connection_core.h"
#include "worker/crash_report.h"
#include "worker/module_helpers.h"
#include "worker/module_host.h"
#include "worker/server.h"

namespace drover {
namespace {

constexpr Millis kHeartbeat{250};
constexpr Millis kOrphansGrace{2'000};  // after the time that orphaned workers have

class HelperProcess final : private Channel::Listener {
 public:
  explicit HelperProcess(const Heritage& heritage);
  int run();

 private:
  enum class Phase { kReady, kServing, kOrphaned, kLeaving };

  Status start();
  int fail(const std::string& reason);
  void say_ready();
  void wait_until_told();
  void work();
  void leave();

  void on_message(Message message) override;
  void on_channel_closed() override;
  void reopen_logs(Message message);
  void on_doorbell();
  void on_term(int number);
  void on_heartbeat();
  [[nodiscard]] bool has_serving_generation() const;
  [[nodiscard]] bool has_workers() const;

  const Heritage& heritage_;
  const HelperHeritage& me_;
  EventBase base_ = make_event_base();
  ConnectionCore core_;  // its clock and timers; without room for a connection
  ZoneMappings zones_;
  std::unique_ptr<Server> server_;
  Channel channel_;
  Phase phase_ = Phase::kReady;
  Event<&HelperProcess::on_doorbell> doorbell_;
  Signal<&HelperProcess::on_term> term_;
  Timer<&HelperProcess::on_heartbeat> heartbeat_;
};

HelperProcess::HelperProcess(const Heritage& heritage)
    : heritage_(heritage),
      me_(heritage.helpers[static_cast<std::size_t>(heritage.slot)]),
      core_({.base = base_.get(), .log = heritage.log, .seat = &heritage.my_seat(), .capacity = 0},
            nullptr),
      zones_(heritage.zones),
      channel_(base_.get(), UniqueFd(heritage.channel_fd), this) {}

int HelperProcess::run() {
  if (const Status started = start(); !started.ok()) return fail(started.error().message());
  term_.start(base_.get(), SIGTERM, this);
  if (has_serving_generation()) allow_orphaning();
  pause_point("helper.started");
  say_ready();
  pause_point("helper.ready");
  wait_until_told();
  if (phase_ != Phase::kLeaving) work();
  stop_module(*server_);
  channel_.flush();
  return 0;
}

Status HelperProcess::start() {
  const ServerSettings& settings = heritage_.settings->servers[me_.server];
  DROVER_TRY(const std::vector<LoadedModule> modules, load_modules(heritage_));
  const LoadedModule* module = find_module(modules, settings.protocol);
  DROVER_CHECK(module != nullptr);  // it asked for this helper
  server_ = std::make_unique<Server>(core_, settings, helper_side(module->table),
                                     Admission(settings, nullptr, nullptr));
  DROVER_TRY(server_->config, configure_module(module->directives, settings, *heritage_.settings));
  server_->heritage = &heritage_;
  server_->metrics = ServerMetrics(module->metrics, {});  // workers count
  server_->zones = &zones_;
  return start_helper(*server_, module->table, me_.name);
}

int HelperProcess::fail(const std::string& reason) {
  heritage_.log->error("helper cannot start: {}", reason);
  channel_.send(MessageType::kFailed, std::string_view(reason).substr(0, kMaxMessageBody));
  channel_.flush();
  return 1;
}

void HelperProcess::say_ready() {
  heritage_.my_seat().heartbeat_ms.store(monotonic_now().count());
  heritage_.my_seat().state.store(SeatState::kReady);
  allow_orphaning();  // from here on the end of the channel is heard
  channel_.send(MessageType::kReady);
}

// Until its generation serves, which may yet fail, no hook is called: the loop, which may have
// timers of the module, does not turn.
void HelperProcess::wait_until_told() {
  while (phase_ == Phase::kReady) {
    pollfd told{heritage_.channel_fd, POLLIN, 0};
    poll(&told, 1, static_cast<int>(kHeartbeat.count()));
    channel_.read_pending();
    heritage_.my_seat().heartbeat_ms.store(monotonic_now().count(), std::memory_order_relaxed);
  }
}

// What was rung before this process was born is still in the doorbell, which nobody reads.
void HelperProcess::work() {
  doorbell_.start(base_.get(), me_.doorbell, EV_READ | EV_ET, this);
  heartbeat_.start_every(base_.get(), kHeartbeat, this);
  core_.begin_turning();
  event_base_dispatch(base_.get());
}

void HelperProcess::leave() {
  phase_ = Phase::kLeaving;
  event_base_loopbreak(base_.get());
}

void HelperProcess::on_message(Message message) {
  switch (message.type) {
    case MessageType::kServe:
      if (phase_ == Phase::kReady) phase_ = Phase::kServing;
      return;
    case MessageType::kDrain:
      return leave();
    case MessageType::kReopenLogs:
      return reopen_logs(std::move(message));
    default:
      DROVER_CHECK(message.type == MessageType::kCloseListener);  // it has none
  }
}

void HelperProcess::reopen_logs(Message message) {
  const auto body = message.body_as<ReopenBody>();
  DROVER_CHECK(body.ok() && !message.fds.empty());
  heritage_.log->replace_fd(std::move(message.fds.front()));
  channel_.send_body(MessageType::kLogsReopened, body.value());
}

// Its workers serve what they have, and what they do last is to be written too. So one that took
// another's place and was not told yet to serve begins all the same; not so in a generation that
// never served, whose start or reload has failed with the master: its workers leave at once, and no
// hook is to run.
void HelperProcess::on_channel_closed() {
  const bool works =
      phase_ == Phase::kServing || (phase_ == Phase::kReady && has_serving_generation());
  if (!works) return leave();
  phase_ = Phase::kOrphaned;
  heritage_.log->warning("master has gone: leaving after the last worker");
}

void HelperProcess::on_term(int /*number*/) {
  channel_.send(MessageType::kLeaving);
  leave();
}

void HelperProcess::on_doorbell() {
  core_.begin_batch();
  if (server_->module.on_doorbell != nullptr) server_->module.on_doorbell(server_->instance);
}

void HelperProcess::on_heartbeat() {
  core_.begin_batch();
  if (phase_ != Phase::kOrphaned) return;
  const Millis leave_by{heritage_.scoreboard->head.leave_by_ms.load()};
  const bool is_overdue = leave_by != Millis{0} && core_.now() >= leave_by + kOrphansGrace;
  if (!has_workers() || is_overdue) leave();
}

// The master notes on the board whom it lets serve, the workers before the helpers.
bool HelperProcess::has_serving_generation() const {
  return std::ranges::any_of(heritage_.board().seat_of_slot,
                             [](const auto& seat) { return seat >= 0; });
}

bool HelperProcess::has_workers() const {
  return std::ranges::any_of(heritage_.scoreboard->seats, [this](const Seat& seat) {
    return seat.slot >= 0 && seat.generation == heritage_.generation &&
           is_alive(seat, heritage_.scoreboard_inode);
  });
}

}  // namespace

int helper_main(const Heritage& heritage) {
  install_crash_handler(heritage.my_seat().crash);
  ignore_masters_signals();
  HelperProcess helper(heritage);
  return helper.run();
}

}  // namespace drover

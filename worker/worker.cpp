#include "worker/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/channel.h"
#include "common/event.h"
#include "common/fault.h"
#include "common/process.h"
#include "worker/accept/drain_order.h"
#include "worker/accepting.h"
#include "worker/connection.h"
#include "worker/connection_core.h"
#include "worker/crash_report.h"
#include "worker/drain_schedule.h"
#include "worker/hook_run.h"
#include "worker/module_host.h"
#include "worker/orphan.h"
#include "worker/server.h"
#include "worker/worker_logs.h"

namespace drover {
namespace {

constexpr Millis kHeartbeat{250};
constexpr Millis kSlowTurn{500};  // somebody should look: every connection has waited so long

class Worker final : private Channel::Listener, private ConnectionCore::Listener {
 public:
  explicit Worker(const Heritage& heritage);
  int run();

 private:
  Status start_servers();
  [[nodiscard]] Result<ServerMetrics> meter(const Metrics& table, std::size_t server) const;
  int fail(const std::string& reason);
  void say_ready();
  void stop_servers();

  void serve();
  void be_orphan();

  void on_message(Message message) override;
  void on_channel_closed() override;
  void before_receive() override { logs_.make_room(); }
  void on_drain_message(const Message& message);
  void on_close_listener(const Message& message);
  void on_close_server(const Message& message);

  void begin_drain(Millis deadline, const std::vector<std::uint32_t>& removed);
  void on_drain_turn();
  void cut(std::size_t connections);
  bool on_batch_ending() override;
  void on_batch_end() override;
  void look_at_turn();

  void on_heartbeat();
  void on_doorbell();
  void on_term(int number);

  const Heritage& heritage_;
  EventBase base_;
  ConnectionCore core_;
  std::vector<std::unique_ptr<Server>> servers_;  // in the order of Settings::servers
  ZoneMappings zones_;
  WorkerLogs logs_;
  Channel channel_;
  std::optional<Accepting> accepting_;
  UniqueFd control_;  // the orphan's to answer
  bool is_serving_ = false;
  std::optional<Orphan> orphan_;
  std::optional<DrainSchedule> drain_;
  RateLimit slow_turns_{1, Millis{10'000}};
  Event<&Worker::on_doorbell> doorbell_;
  Signal<&Worker::on_term> term_;
  Timer<&Worker::on_heartbeat> heartbeat_;
  Timer<&Worker::on_drain_turn> drain_turn_;
};

Worker::Worker(const Heritage& heritage)
    : heritage_(heritage),
      base_(make_event_base()),
      core_({.base = base_.get(),
             .log = heritage.log,
             .seat = &heritage.my_seat(),
             .capacity = static_cast<std::size_t>(heritage.worker_connections),
             .streams = static_cast<std::size_t>(heritage.settings->worker_streams)},
            this),
      zones_(heritage.zones),
      logs_(*heritage.log, servers_),
      channel_(base_.get(), UniqueFd(heritage.channel_fd), this),
      control_(heritage.control_fd) {}

int Worker::run() {
  if (const Status started = start_servers(); !started.ok()) return fail(started.error().message());
  accepting_.emplace(heritage_, core_, servers_);
  doorbell_.start(base_.get(), heritage_.doorbells[static_cast<std::size_t>(heritage_.slot)],
                  EV_READ | EV_ET, this);
  term_.start(base_.get(), SIGTERM, this);
  heartbeat_.start_every(base_.get(), kHeartbeat, this);
  say_ready();

  core_.begin_turning();
  event_base_dispatch(base_.get());

  stop_servers();
  channel_.flush();
  return 0;
}

Status Worker::start_servers() {
  DROVER_TRY(const std::vector<LoadedModule> modules, load_modules(heritage_));
  for (const ServerSettings& settings : heritage_.settings->servers) {
    const LoadedModule* module = find_module(modules, settings.protocol);
    if (module == nullptr) {
      return Error(
          fmt::format("server {}: protocol {} is not loaded", settings.name, settings.protocol));
    }
    servers_.push_back(std::make_unique<Server>(
        core_, settings, module->table, Admission(settings, heritage_.limits, heritage_.ledger)));
    DROVER_TRY(servers_.back()->config,
               configure_module(module->directives, settings, *heritage_.settings));
    DROVER_TRY(servers_.back()->metrics, meter(module->metrics, servers_.size() - 1));
    servers_.back()->index = static_cast<int>(servers_.size()) - 1;
    servers_.back()->heritage = &heritage_;
    servers_.back()->zones = &zones_;
    servers_.back()->all = &servers_;
  }
  for (const std::uint32_t closed : heritage_.closed_servers) servers_[closed]->is_closed = true;
  for (const auto& server : servers_) {
    if (!server->is_closed) DROVER_TRY_DO(start_module(*server));
  }
  logs_.adopt(heritage_.access_log_fds);
  return Done{};
}

// The cells were laid out by what the validator saw.
Result<ServerMetrics> Worker::meter(const Metrics& table, std::size_t server) const {
  if (heritage_.metric_layout == nullptr) return ServerMetrics(table, {});
  const MetricLayout::Server& layout = heritage_.metric_layout->servers[server];
  if (layout.metrics != table) {
    return Error(
        fmt::format("server {}: module {} counts other things than it did in the validator",
                    layout.name, layout.module));
  }
  return ServerMetrics(table, heritage_.metrics.subspan(layout.first, table.size()));
}

int Worker::fail(const std::string& reason) {
  heritage_.log->error("worker cannot start: {}", reason);
  channel_.send(MessageType::kFailed, std::string_view(reason).substr(0, kMaxMessageBody));
  channel_.flush();
  stop_servers();
  return 1;
}

void Worker::say_ready() {
  Seat& seat = heritage_.my_seat();
  seat.capacity.store(static_cast<std::uint32_t>(heritage_.worker_connections));
  seat.heartbeat_ms.store(monotonic_now().count());
  if (fault_mode("ready") == "timeout") return;
  seat.state.store(SeatState::kReady);
  allow_orphaning();  // from here on the end of the channel is heard, and what came before it
  channel_.send(MessageType::kReady);
}

void Worker::stop_servers() {
  core_.end_all(DROVER_DRAINED);
  for (const auto& server : servers_) stop_module(*server);
  logs_.flush();
}

void Worker::on_message(Message message) {
  core_.begin_batch();
  switch (message.type) {
    case MessageType::kServe:
      return drain_ ? void() : serve();
    case MessageType::kDrain:
      return on_drain_message(message);
    case MessageType::kCloseListener:
      return on_close_listener(message);
    case MessageType::kCloseServer:
      return on_close_server(message);
    case MessageType::kReopenLogs: {
      const auto body = message.body_as<ReopenBody>();
      DROVER_CHECK(body.ok());
      logs_.replace(std::move(message.fds));
      return channel_.send_body(MessageType::kLogsReopened, body.value());
    }
    default: {
      const bool is_known_to_workers = false;
      DROVER_CHECK(is_known_to_workers);
    }
  }
}

void Worker::on_drain_message(const Message& message) {
  const auto order = parse_drain(message.body);
  DROVER_CHECK(order.ok());
  begin_drain(order.value().deadline, order.value().removed);
}

void Worker::on_close_listener(const Message& message) {
  const auto body = message.body_as<CloseListenerBody>();
  DROVER_CHECK(body.ok());
  accepting_->close_listener(body.value().listener_id);
}

// Once told, nothing of it runs here any more.
void Worker::on_close_server(const Message& message) {
  const auto body = message.body_as<CloseServerBody>();
  DROVER_CHECK(body.ok() && body.value().server < servers_.size());
  Server& server = *servers_[body.value().server];
  if (std::exchange(server.is_closed, true)) return;
  accepting_->close_listeners_of(body.value().server);
  core_.table().for_each([&server](Connection& connection) {
    if (&connection.server() == &server) connection.end(DROVER_DRAINED);
  });
  stop_module(server);
}

void Worker::serve() {
  heritage_.my_seat().state.store(SeatState::kServing);
  is_serving_ = true;
  accepting_->begin();
}

// Who serves goes on without a master, until a new one takes over (orphan.h). Who drains has from
// now on its orders from the scoreboard, too.
void Worker::on_channel_closed() {
  core_.begin_batch();
  orphan_.emplace(base_.get(), heritage_);
  if (is_serving_ && !drain_) {
    heritage_.log->warning("master has gone: serving on connections={}", core_.table().size());
    return;
  }
  heritage_.log->warning("master has gone: draining connections={}", core_.table().size());
  begin_drain(core_.now() + heritage_.settings->worker_shutdown_timeout, {});
}

// The acceptor goes first, as in every drain: what it passes on finds the workers there.
void Worker::be_orphan() {
  const Millis latest = core_.now() + heritage_.settings->worker_shutdown_timeout;
  const std::optional<Millis> leave_by = orphans_end(heritage_, latest);
  if (!leave_by) return drain_ ? void() : orphan_->on_heartbeat(core_.now());
  // The acceptor leaves first, unless it is stopped.
  if (!has_acceptor(heritage_) || core_.now() >= *leave_by)
    begin_drain(*leave_by, orphan_->removed());
}

void Worker::on_term(int /*number*/) {
  core_.begin_batch();
  channel_.send(MessageType::kLeaving);
  begin_drain(core_.now() + heritage_.settings->worker_shutdown_timeout, {});
}

// A later order can only bring the deadline nearer: what drains already goes on draining.
void Worker::begin_drain(Millis deadline, const std::vector<std::uint32_t>& removed) {
  const bool is_first = !drain_.has_value();
  if (!is_first && deadline >= drain_->deadline()) return;
  drain_.emplace(core_.now(), deadline);
  drain_turn_.start_every(base_.get(), drain_->interval(), this);
  if (!is_first) return;
  if (orphan_) orphan_->retire();
  control_.reset();  // a new master must not find somebody who has nothing to give
  heritage_.my_seat().state.store(SeatState::kDraining);
  accepting_->end(removed);
  for (const auto& server : servers_) server->is_draining = true;
  core_.table().for_each([](Connection& connection) { connection.drain(); });
}

void Worker::on_drain_turn() {
  core_.begin_batch();
  cut(drain_->due(core_.sockets(), core_.now()));
}

// Streams go with the connection that carries them, which goes a turn later: until then what its
// module says of their ends can leave.
void Worker::cut(std::size_t connections) {
  core_.table().for_each([&](Connection& connection) {
    if (connections == 0 || connection.stream() != nullptr) return;
    --connections;
    if (connection.cut_streams()) return;
    if (connection.is_open()) ConnectionCore::count(core_.counters().drained_cut);
    connection.end(DROVER_DRAINED);
  });
}

bool Worker::on_batch_ending() {
  bool was_told = false;
  for (const auto& server : servers_) {
    if (!std::exchange(server->runs_in_batch, false)) continue;
    server->ran_in_turn = true;
    if (server->module.on_batch_end == nullptr || server->is_closed) continue;
    const RunningMark mark(*server);
    server->module.on_batch_end(server->instance);
    was_told = true;
  }
  return was_told;
}

// Names all whose hooks ran in it: which of them took the time is not known, for a look at the
// clock around each hook would cost every message.
void Worker::look_at_turn() {
  std::vector<std::string_view> names;
  std::vector<std::string_view> modules;
  for (const auto& server : servers_) {
    if (!std::exchange(server->ran_in_turn, false) || core_.last_turn() < kSlowTurn) continue;
    names.emplace_back(server->settings.name);
    modules.emplace_back(server->module.name);
  }
  if (names.empty() || !slow_turns_.allow(core_.now())) return;
  heritage_.log->warning("slow turn: {} ms server={} module={} suppressed={}",
                         std::chrono::duration_cast<Millis>(core_.last_turn()).count(),
                         fmt::join(names, ","), fmt::join(modules, ","), slow_turns_.suppressed());
}

void Worker::on_batch_end() {
  look_at_turn();
  if (!accepting_) return;
  accepting_->on_batch_end();
  if (drain_ && core_.table().size() == 0 && accepting_->is_finished())
    event_base_loopbreak(base_.get());
}

void Worker::on_heartbeat() {
  core_.begin_batch();
  core_.sweep();
  accepting_->on_heartbeat();
  if (orphan_) be_orphan();
  logs_.on_heartbeat(core_.now());
}

// Nobody reads the eventfd: edge-triggered, each ring wakes every process that waits at it, also a
// slot's worker that drains beside its successor.
void Worker::on_doorbell() {
  core_.begin_batch();
  accepting_->on_doorbell();
  for (const auto& server : servers_) {
    if (server->module.on_doorbell == nullptr || server->is_closed) continue;
    const HookRun run(*server);
    server->module.on_doorbell(server->instance);
  }
}

}  // namespace

int worker_main(const Heritage& heritage) {
  install_crash_handler(heritage.my_seat().crash);
  ignore_masters_signals();
  Worker worker(heritage);
  return worker.run();
}

}  // namespace drover

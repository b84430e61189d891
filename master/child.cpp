#include "master/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "common/fault.h"
#include "common/process.h"

namespace drover {
namespace {

void pin_to_cpu(const CpuAffinity& affinity, int slot) {
  if (affinity.kind == CpuAffinity::Kind::kOff) return;
  std::vector<int> cpus = affinity.cpus;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (affinity.kind == CpuAffinity::Kind::kAuto &&
      sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) cpus.push_back(cpu);
    }
  }
  if (cpus.empty()) return;
  cpu_set_t mine;
  CPU_ZERO(&mine);
  CPU_SET(static_cast<unsigned>(cpus[static_cast<std::size_t>(slot) % cpus.size()]), &mine);
  sched_setaffinity(0, sizeof mine, &mine);  // a CPU that has gone away costs only the pinning
}

void reseed() {
  unsigned seed = 0;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed) std::srand(seed);
}

RoleMain main_of(const RoleMains& roles, Role role) {
  switch (role) {
    case Role::kValidator:
      return roles.validator;
    case Role::kWorker:
      return roles.worker;
    case Role::kAcceptor:
      return roles.acceptor;
    case Role::kHelper:
      return roles.helper;
  }
  return nullptr;
}

// The child's side of fork: becomes what the heritage says and never returns into the master's
// code.
[[noreturn]] void live(MasterContext& context, const Heritage& heritage, pid_t master) {
  shed_parent(context.base, heritage.descriptors());
  leave_service_manager();
  if (context.is_daemon) leave_terminal();
  const std::string title = heritage.title();
  set_process_title("drover: " + title);
  heritage.log->set_role(title);
  reseed();
  if (heritage.role == Role::kWorker) pin_to_cpu(heritage.settings->cpu_affinity, heritage.slot);
  if (geteuid() == 0) {
    if (Status dropped = drop_privileges(heritage.settings->user, heritage.settings->group);
        !dropped) {
      heritage.log->error("cannot drop privileges: {}", dropped.error().message());
      std::exit(1);
    }
  }
  die_with_parent(master);  // until it serves: an unfinished generation goes with its master
  SignalsBlocked::unblock_all();
  std::exit(main_of(context.roles, heritage.role)(heritage));
}

// For how many connections a process notes what it holds of the limits: where nobody has set any,
// there is nothing to note, and nothing to count when it ends.
std::size_t ledger_capacity(const Heritage& heritage) {
  const bool notes = heritage.role == Role::kWorker &&
                     std::ranges::any_of(heritage.settings->servers, &ServerSettings::has_limits);
  const std::int64_t most = heritage.worker_connections + heritage.settings->worker_streams;
  return notes ? static_cast<std::size_t>(most) : 0;
}

}  // namespace

Result<std::unique_ptr<Child>> Child::spawn(MasterContext& context, Seats& seats, Heritage heritage,
                                            Keeper* keeper) {
  const bool serves = heritage.role == Role::kWorker;
  DROVER_TRY(Seats::Lease seat,
             seats.take(ledger_capacity(heritage), serves ? heritage.metric_layout : nullptr));
  DROVER_TRY(SocketPair pair, make_seqpacket_pair());
  heritage.seat = seat.index();
  heritage.ledger = seat.ledger();
  heritage.metrics = seat.metrics();
  heritage.channel_fd = pair.second.get();
  heritage.scoreboard = context.scoreboard;
  if (serves) heritage.scoreboard_fd = context.scoreboard_fd;
  if (serves) heritage.metrics_fd = context.metrics->fd();
  if (serves) heritage.control_fd = context.control_fd;
  if (serves) heritage.predecessors = context.predecessors;
  heritage.control_path = context.control_path;
  heritage.scoreboard_inode = context.scoreboard_inode;
  heritage.predecessor = context.predecessor;
  heritage.limits = context.limits;
  heritage.log = context.log;
  seat->is_acceptor = heritage.role == Role::kAcceptor;
  seat->slot = serves ? heritage.slot : -1;
  seat->generation = heritage.generation;
  seat->heartbeat_ms = monotonic_now().count();
  seat->state = SeatState::kStarting;

  const SignalsBlocked blocked;
  const pid_t master = getpid();
  const pid_t pid = fault("fork") ? (errno = EAGAIN, -1) : fork();
  if (pid < 0) return Error::from_errno("fork");
  if (pid == 0) live(context, heritage, master);
  setpgid(pid, pid);  // both sides, so that it is done whoever runs first
  seat->pid = pid;
  seat.give_to(pid);
  return std::unique_ptr<Child>(
      new Child(context, heritage, pid, std::move(pair.first), std::move(seat), keeper));
}

Child::Child(MasterContext& context, const Heritage& heritage, pid_t pid, UniqueFd channel,
             Seats::Lease seat, Keeper* keeper)
    : pid_(pid),
      role_(heritage.role),
      name_(heritage.title()),
      seat_(std::move(seat)),
      born_(monotonic_now()),
      keeper_(keeper),
      channel_(context.base, std::move(channel), this) {}

std::optional<Millis> Child::served() const {
  if (!ready_at_) return std::nullopt;
  return monotonic_now() - *ready_at_;
}

void Child::serve() {
  state_ = State::kServing;
  channel_.send(MessageType::kServe);
}

void Child::drain(Millis deadline, const std::vector<std::uint32_t>& removed_listeners) {
  state_ = State::kDraining;
  seat_->state = SeatState::kDraining;
  const std::size_t room = (kMaxMessageBody - sizeof(DrainBody)) / sizeof(std::uint32_t);
  const std::size_t count = std::min(room, removed_listeners.size());
  const DrainBody head{deadline.count(), static_cast<std::uint32_t>(count), 0};
  std::string body(reinterpret_cast<const char*>(&head), sizeof head);
  body.append(reinterpret_cast<const char*>(removed_listeners.data()),
              count * sizeof(std::uint32_t));
  channel_.send(MessageType::kDrain, body);
}

void Child::reopen_logs(std::uint64_t serial, const std::vector<int>& fds) {
  channel_.send_body(MessageType::kReopenLogs, ReopenBody{serial}, fds);
}

void Child::close_listener(std::uint32_t id) {
  channel_.send_body(MessageType::kCloseListener, CloseListenerBody{id});
}

void Child::close_server(std::uint32_t server) {
  channel_.send_body(MessageType::kCloseServer, CloseServerBody{server});
}

void Child::kill_as_hung(int signal_number) {
  was_hung_ = true;
  kill(signal_number);
}

void Child::kill(int signal_number) const { ::kill(pid_, signal_number); }

void Child::on_message(Message message) {
  switch (message.type) {
    case MessageType::kReady:
      if (state_ != State::kStarting) return;
      state_ = State::kReady;
      ready_at_ = monotonic_now();
      trying_.clear();
      seat_->state = SeatState::kReady;
      return keeper_->on_child_ready(*this);
    case MessageType::kFailed:
      return keeper_->on_child_failed(*this, message.body);
    case MessageType::kLeaving:
      // A helper says so only when it has not read the order to drain.
      if (state_ == State::kDraining && role_ != Role::kHelper) return;
      state_ = State::kDraining;
      return keeper_->on_child_leaving(*this);
    case MessageType::kWantHelper:
      return keeper_->on_child_wants_helper(*this, message);
    case MessageType::kTrying:
      trying_ = std::move(message.body);
      return;
    case MessageType::kMetrics:
      return on_metrics(message.body);
    case MessageType::kLogsReopened: {
      const auto body = message.body_as<ReopenBody>();
      if (body) keeper_->on_child_reopened_logs(*this, body.value().serial);
      return;
    }
    default:
      return;  // what a child may not say is not heard
  }
}

// Bounded: modules without a server count nothing, and servers are few.
void Child::on_metrics(std::string_view body) {
  if (role_ != Role::kValidator || metrics_.size() >= kMaxBoardServers) return;
  if (auto report = decode_metrics(body))
    metrics_.emplace(std::move(report->module), std::move(report->metrics));
}

}  // namespace drover

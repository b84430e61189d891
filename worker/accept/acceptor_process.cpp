#include "worker/accept/acceptor_process.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "common/channel.h"
#include "common/fault.h"
#include "common/process.h"
#include "worker/accept/accept_tap.h"
#include "worker/accept/drain_order.h"
#include "worker/accept/passer.h"
#include "worker/crash_report.h"
#include "worker/orphan.h"

namespace drover {
namespace {

constexpr Millis kHeartbeat{250};
constexpr Millis kLookAgain{10};         // while no worker can take anything: all are full or dead
constexpr int kTurnBudget = kMaxPassed;  // a full message, when it all goes to one worker

class AcceptorProcess final : public AcceptHost,
                              public AcceptQueue::Watcher,
                              public Channel::Listener {
 public:
  explicit AcceptorProcess(const Heritage& heritage);
  int run();

 private:
  enum class Phase { kStarting, kServing, kDraining, kDone };

  // AcceptHost, for the tap.
  event_base* base() override { return base_.get(); }
  const Heritage& heritage() const override { return heritage_; }
  bool has_room() const override { return !exhausted_ && passer_.has_room(); }
  int budget() const override { return kTurnBudget; }
  std::uint32_t live() const override { return static_cast<std::uint32_t>(passer_.held()); }
  std::uint32_t capacity() const override { return std::numeric_limits<std::uint32_t>::max(); }
  void on_accepted(Accepted connection) override;
  void on_descriptors_exhausted(int error_number) override;
  void ring(int /*slot*/) override {}  // the pair wakes the worker

  void on_queue_readable(AcceptQueue& queue) override;
  void on_message(Message message) override;
  void on_channel_closed() override;
  void on_sigterm(int number);
  void on_heartbeat();
  void on_look_again();
  void be_orphan();

  void serve();
  void drain(const std::vector<std::uint32_t>& removed, Millis deadline);
  void take_all(AcceptQueue& queue);
  void finish_when_flushed();
  void reopen_logs(Message message);
  void close_listener(std::uint32_t id);
  void close_server(std::uint32_t server);
  void update_watching();
  void beat();

  const Heritage& heritage_;
  EventBase base_ = make_event_base();
  AcceptTap tap_{*this};
  Passer passer_;
  Phase phase_ = Phase::kStarting;
  bool exhausted_ = false;  // no descriptors, until the next heartbeat
  Millis deadline_{0};      // while draining
  int exit_status_ = 0;
  RateLimit exhausted_log_{1, Millis{10'000}};
  std::vector<std::unique_ptr<AcceptQueue>> queues_;
  std::unique_ptr<Channel> channel_;  // null: the master is gone
  Timer<&AcceptorProcess::on_heartbeat> heartbeat_;
  Timer<&AcceptorProcess::on_look_again> look_again_;
  Signal<&AcceptorProcess::on_sigterm> sigterm_;
};

bool is_for_acceptor(const Heritage& heritage, const ListenerHeritage& listener) {
  const bool surplus = listener.member >= listener.active;  // the workers'
  return !surplus &&
         heritage.settings->servers.at(listener.server).accept == AcceptStrategy::kAcceptor;
}

AcceptorProcess::AcceptorProcess(const Heritage& heritage)
    : heritage_(heritage), passer_(heritage) {
  for (const ListenerHeritage& listener : heritage.listeners) {
    if (!is_for_acceptor(heritage, listener)) continue;
    queues_.push_back(std::make_unique<AcceptQueue>(listener, base_.get(), *this));
  }
  channel_ = std::make_unique<Channel>(base_.get(), UniqueFd(heritage.channel_fd), this);
  heartbeat_.start_every(base_.get(), kHeartbeat, this);
  sigterm_.start(base_.get(), SIGTERM, this);
}

int AcceptorProcess::run() {
  beat();
  allow_orphaning();
  channel_->send(MessageType::kReady);
  while (phase_ != Phase::kDone) {
    event_base_loop(base_.get(), EVLOOP_ONCE);
    beat();
  }
  if (channel_) channel_->flush();
  return exit_status_;
}

void AcceptorProcess::on_accepted(Accepted connection) {
  pause_point("acceptor.accepted");
  passer_.hold({std::move(connection.fd), connection.listener->id});
}

void AcceptorProcess::on_descriptors_exhausted(int error_number) {
  exhausted_ = true;
  heritage_.my_seat().counters.accept_pauses.fetch_add(1, std::memory_order_relaxed);
  if (!exhausted_log_.allow(monotonic_now())) return;
  heritage_.log->warning("accepting paused: {}", strerrordesc_np(error_number));
}

void AcceptorProcess::on_queue_readable(AcceptQueue& queue) {
  passer_.look();
  const Taken taken = tap_.take(queue, kTurnBudget);
  if (taken.is_empty_wakeup()) {
    heritage_.my_seat().counters.empty_wakeups.fetch_add(1, std::memory_order_relaxed);
  }
  passer_.flush();
  update_watching();
}

void AcceptorProcess::on_heartbeat() {
  exhausted_ = false;
  if (channel_ == nullptr) be_orphan();
  on_look_again();
}

void AcceptorProcess::on_look_again() {
  passer_.look();
  passer_.flush();
  update_watching();
  finish_when_flushed();
}

void AcceptorProcess::on_message(Message message) {
  switch (message.type) {
    case MessageType::kDrain: {
      auto order = parse_drain(message.body);
      DROVER_CHECK(order.ok());
      return drain(order->removed, order->deadline);
    }
    case MessageType::kReopenLogs:
      return reopen_logs(std::move(message));
    case MessageType::kCloseListener: {
      auto body = message.body_as<CloseListenerBody>();
      DROVER_CHECK(body.ok());
      return close_listener(body->listener_id);
    }
    case MessageType::kCloseServer: {
      auto body = message.body_as<CloseServerBody>();
      DROVER_CHECK(body.ok());
      return close_server(body->server);
    }
    default:
      DROVER_CHECK(message.type == MessageType::kServe);  // nothing else is sent to an acceptor
      serve();
  }
}

// Workers serve on without a master, and so does who accepts for them.
void AcceptorProcess::on_channel_closed() {
  channel_.reset();
  if (phase_ != Phase::kServing) drain({}, monotonic_now());
}

void AcceptorProcess::be_orphan() {
  const Millis latest = monotonic_now() + heritage_.settings->worker_shutdown_timeout;
  if (const auto leave_by = orphans_end(heritage_, latest)) drain({}, *leave_by);
}

void AcceptorProcess::on_sigterm(int /*number*/) {
  if (phase_ == Phase::kDraining) return;
  if (channel_) channel_->send(MessageType::kLeaving);
  drain({}, monotonic_now() + heritage_.settings->worker_shutdown_timeout);
}

void AcceptorProcess::serve() {
  if (phase_ != Phase::kStarting) return;
  phase_ = Phase::kServing;
  heritage_.my_seat().state.store(SeatState::kServing);
  passer_.look();
  update_watching();
}

void AcceptorProcess::drain(const std::vector<std::uint32_t>& removed, Millis deadline) {
  if (phase_ == Phase::kDraining) return;
  phase_ = Phase::kDraining;
  deadline_ = deadline;
  update_watching();
  for (const auto& queue : queues_) {
    if (std::ranges::count(removed, queue->listener().id) != 0) take_all(*queue);
  }
  queues_.clear();
  passer_.look();
  passer_.flush();
  finish_when_flushed();
}

// What finds no room here stays in the queue: the workers empty it once more before they close it.
void AcceptorProcess::take_all(AcceptQueue& queue) {
  Taken taken;
  do {
    passer_.look();
    taken = tap_.take(queue, kTurnBudget);
    passer_.flush();
  } while (taken.count > 0 && !taken.ran_dry);
}

void AcceptorProcess::finish_when_flushed() {
  if (phase_ != Phase::kDraining) return;
  if (passer_.held() > 0) {
    if (monotonic_now() < deadline_) return;
    heritage_.log->error("connections cut at the deadline, no worker could take them: count={}",
                         passer_.held());
    exit_status_ = 1;
  }
  phase_ = Phase::kDone;
}

void AcceptorProcess::reopen_logs(Message message) {
  auto body = message.body_as<ReopenBody>();
  DROVER_CHECK(body.ok());
  if (!message.fds.empty()) heritage_.log->replace_fd(std::move(message.fds.front()));
  if (channel_) channel_->send_body(MessageType::kLogsReopened, *body);
}

void AcceptorProcess::close_listener(std::uint32_t id) {
  std::erase_if(queues_, [id](const auto& queue) { return queue->listener().id == id; });
}

// What it has accepted it still passes on, to be closed there.
void AcceptorProcess::close_server(std::uint32_t server) {
  std::erase_if(queues_,
                [server](const auto& queue) { return queue->listener().server == server; });
}

// Waits at the listeners only while somebody can take what comes: the kernel's queue is the better
// place to wait.
void AcceptorProcess::update_watching() {
  const bool watched = phase_ == Phase::kServing && has_room();
  for (const auto& queue : queues_) watched ? queue->watch() : queue->unwatch();
  if (!passer_.has_room()) look_again_.start(base_.get(), kLookAgain, this);
}

void AcceptorProcess::beat() {
  Seat& seat = heritage_.my_seat();
  seat.live.store(live(), std::memory_order_relaxed);
  seat.heartbeat_ms.store(monotonic_now().count(), std::memory_order_relaxed);
}

}  // namespace

int acceptor_main(const Heritage& heritage) {
  ignore_masters_signals();
  install_crash_handler(heritage.my_seat().crash);
  return AcceptorProcess(heritage).run();
}

}  // namespace drover

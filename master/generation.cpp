#include "master/generation.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "common/fault.h"
#include "master/log_files.h"
#include "master/process_end.h"

namespace drover {
namespace {

constexpr Millis kOverdueGrace{2'000};          // beyond the deadline a draining process is killed
constexpr std::int64_t kSpareDescriptors = 32;  // logs, module images, epoll, what a module opens
constexpr int kPassingBuffer = 1 << 20;

Result<std::vector<UniqueFd>> make_doorbells(std::size_t count) {
  std::vector<UniqueFd> doorbells;
  while (doorbells.size() < count) {
    if (fault("eventfd")) return Error::from_errno("eventfd", EMFILE);
    doorbells.emplace_back(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!doorbells.back().is_open()) return Error::from_errno("eventfd");
  }
  return doorbells;
}

}  // namespace

const char* Generation::to_string(State state) {
  switch (state) {
    case State::kValidating:
      return "validating";
    case State::kStarting:
      return "starting";
    case State::kServing:
      return "serving";
    case State::kDraining:
      return "draining";
    case State::kFailed:
      return "failed";
  }
  return "unknown";
}

Generation::Generation(MasterContext& context, Seats& seats, Listeners& listeners,
                       std::uint32_t number, Settings settings, Owner* owner)
    : context_(context),
      seats_(seats),
      listeners_(listeners),
      number_(number),
      settings_(std::move(settings)),
      slots_(resolve_workers(settings_)),
      owner_(owner),
      validation_(context, [this](const std::string& why) { on_validated(why); }) {
  Board& mine = board();
  new (&mine) Board;
  mine.generation = number;
  mine.slots = static_cast<std::uint32_t>(slots_);
  for (auto& seat : mine.seat_of_slot) seat = -1;
  WorkerPool::Owner* me = this;
  pool_ = std::make_unique<WorkerPool>(context, seats, mine, slots_, has_acceptor(),
                                       settings_.ready_timeout, me);
}

Generation::~Generation() = default;

bool Generation::has_acceptor() const {
  return std::any_of(settings_.servers.begin(), settings_.servers.end(),
                     [](const ServerSettings& server) {
                       return server.accept == AcceptStrategy::kAcceptor && !server.listens.empty();
                     });
}

Status Generation::validate(ModuleImages images) {
  if (images == nullptr) {
    DROVER_TRY(std::vector<ModuleImage> copies, copy_modules(settings_));
    images = std::make_shared<std::vector<ModuleImage>>(std::move(copies));
  }
  images_ = std::move(images);
  return validation_.start(seats_, {&settings_, images_.get(), slots_, number_});
}

void Generation::on_validated(const std::string& why) {
  if (!why.empty()) return fail(why);
  validated_after_ = monotonic_now() - began_;
  owner_->on_generation_validated(*this);
}

Status Generation::start() {
  state_ = State::kStarting;
  DROVER_TRY(access_logs_, open_access_logs(settings_));
  DROVER_TRY(zones_, context_.zones->open(settings_));
  DROVER_TRY(doorbells_, make_doorbells(static_cast<std::size_t>(slots_)));
  DROVER_TRY(helper_doorbells_, make_doorbells(helpers().size()));
  if (has_acceptor()) DROVER_TRY_DO(make_passing_pairs());
  DROVER_TRY(plan_, listeners_.open(settings_, slots_));
  metric_layout_ = std::make_shared<MetricLayout>(lay_out_metrics());
  context_.metrics->lay_out(*metric_layout_);
  settle_worker_connections();
  ready_timeout_.start(context_.base, settings_.ready_timeout, this);
  add_helpers();
  return pool_->start();
}

void Generation::add_helpers() {
  std::vector<std::string> names;
  for (const HelperName& helper : helpers()) {
    names.push_back(settings_.servers[helper.server].name + "/" + helper.name);
  }
  pool_->add_helpers(names);
}

Status Generation::make_passing_pairs() {
  for (int slot = 0; slot < slots_; ++slot) {
    DROVER_TRY(SocketPair pair, make_seqpacket_pair());
    const int size = kPassingBuffer;  // as far as net.core.wmem_max allows
    setsockopt(pair.first.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    passing_.push_back(std::move(pair));
  }
  return Done{};
}

MetricLayout Generation::lay_out_metrics() const {
  MetricLayout layout;
  layout.generation = number_;
  for (const ServerSettings& server : settings_.servers) {
    const auto counted = validation_.metrics().find(server.protocol);
    layout.add(server.name, server.protocol,
               counted == validation_.metrics().end() ? Metrics{} : counted->second);
  }
  return layout;
}

// `auto` is what the descriptor limit leaves; a larger setting is reduced, with one warning.
void Generation::settle_worker_connections() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto held = static_cast<std::int64_t>(heritage_for(Role::kWorker, 0).descriptors().size());
  const auto most = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(limit.rlim_cur) - held - kSpareDescriptors);
  worker_connections_ =
      settings_.worker_connections == 0 ? most : std::min(most, settings_.worker_connections);
  if (settings_.worker_connections > most) {
    warnings_.push_back(fmt::format(
        "worker_connections = {} is more than the {} descriptors of a process allow; using {}",
        settings_.worker_connections, limit.rlim_cur, most));
  }
}

Heritage Generation::heritage_for(Role role, int slot) {
  Heritage heritage;
  heritage.role = role;
  heritage.slot = slot;
  heritage.slots = slots_;
  heritage.generation = number_;
  heritage.settings = &settings_;
  heritage.worker_connections = worker_connections_;
  heritage.log = context_.log;
  for (const ModuleImage& image : *images_) heritage.modules.push_back(image.heritage());
  for (const UniqueFd& bell : doorbells_) heritage.doorbells.push_back(bell.get());
  if (role != Role::kAcceptor) {
    for (const auto& zone : zones_) heritage.zones.push_back(zone->heritage());
    for (std::size_t i = 0; i < helper_doorbells_.size(); ++i) {
      const auto& [server, name] = helpers()[i];
      heritage.helpers.push_back({server, name, helper_doorbells_[i].get()});
    }
  }
  if (role == Role::kHelper) return heritage;
  if (metric_layout_->cells > 0) heritage.metric_layout = metric_layout_;
  heritage.listeners = plan_.heritage();
  heritage.closed_servers = closed_servers_;
  if (role == Role::kAcceptor) {
    // A socket that it never reads must not stay open because of it.
    std::erase_if(heritage.listeners, [this](const ListenerHeritage& listener) {
      return settings_.servers[listener.server].accept != AcceptStrategy::kAcceptor ||
             listener.member >= listener.active;
    });
  }
  for (const SocketPair& pair : passing_)
    heritage.passing.push_back({pair.first.get(), pair.second.get()});
  for (const UniqueFd& log : access_logs_) heritage.access_log_fds.push_back(log.get());
  return heritage;
}

void Generation::on_all_ready() {
  ready_after_ = monotonic_now() - began_;
  ready_timeout_.stop();
  owner_->on_generation_ready(*this);
}

void Generation::on_start_failed(const std::string& why) { fail(why); }

void Generation::on_not_ready_in_time() {
  fail(fmt::format("{} was not ready within ready_timeout ({} ms)", pool_->who_is_not_up(),
                   settings_.ready_timeout.count()));
}

void Generation::fail(const std::string& why) {
  if (state_ == State::kFailed) return;
  abort();
  owner_->on_generation_failed(*this, why);
}

Result<std::vector<std::uint32_t>> Generation::serve() {
  DROVER_TRY(auto removed, listeners_.commit(plan_, settings_.steer_linger));
  state_ = State::kServing;
  pool_->serve();
  return removed;
}

bool Generation::drain(Millis timeout, const std::vector<std::uint32_t>& removed_listeners) {
  const Millis deadline = monotonic_now() + timeout;
  if (deadline >= drain_deadline_) return false;
  drain_deadline_ = deadline;
  state_ = State::kDraining;
  expect_drained();
  pool_->drain(deadline, removed_listeners);
  plan_.uses.clear();  // what no later generation has is closed here; the workers close theirs
  return true;
}

void Generation::expect_drained() {
  const Millis left = std::max(drain_deadline_ - monotonic_now(), Millis{0});
  overdue_.start(context_.base, left + kOverdueGrace, this);
}

// However late the workers went, what they did last is the helpers' to write.
void Generation::on_helpers_told() {
  if (state_ == State::kDraining) expect_drained();
}

void Generation::on_drain_overdue() {
  const std::vector<Child*> children = pool_->children();
  const bool only_helpers = std::ranges::all_of(
      children, [](const Child* child) { return child->role() == Role::kHelper; });
  for (const Child* child : children) {
    if (child->role() == Role::kHelper && !only_helpers) continue;
    context_.log->warning("{} overdue: pid={}, killing it", child->name(), child->pid());
    child->kill(SIGKILL);
  }
  if (only_helpers) pool_->abort();  // none of them lives once more
}

void Generation::abort() {
  state_ = State::kFailed;
  ready_timeout_.stop();
  validation_.abort();
  pool_->abort();
  listeners_.abandon(plan_);
  plan_.uses.clear();
}

void Generation::close_servers(const std::vector<std::uint32_t>& servers) {
  closed_servers_.insert(closed_servers_.end(), servers.begin(), servers.end());
  for (Child* child : pool_->children()) {
    if (child->role() == Role::kHelper) continue;
    for (const std::uint32_t server : servers) child->close_server(server);
  }
  listeners_.close(plan_, servers);
  pool_->forgive();
}

// The successor is to see what was counted and what was done.
void Generation::on_child_lost(const Child& child, int wait_status) {
  if (child.role() == Role::kAcceptor) return;
  for (const auto& zone : zones_) zone->count_unclean_end();
  if (child.role() == Role::kWorker) owner_->on_worker_lost(*this, child, wait_status);
}

bool Generation::on_exit(pid_t pid, int wait_status) {
  return validation_.on_exit(pid, wait_status) || pool_->on_exit(pid, wait_status);
}

bool Generation::is_over() const {
  const bool may_end = state_ == State::kDraining || state_ == State::kFailed;
  return may_end && !validation_.is_running() && pool_->is_empty();
}

void Generation::ring_all() const {
  for (const UniqueFd& bell : doorbells_) ring_doorbell(bell.get());
}

std::vector<int> Generation::access_log_fds() const {
  std::vector<int> fds;
  for (const UniqueFd& log : access_logs_) {
    if (log.is_open()) fds.push_back(log.get());
  }
  return fds;
}

}  // namespace drover

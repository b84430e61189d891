// The master's part in upgrades and adoptions: how it comes by what another one had, and how it
// gives it away.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "common/fault.h"
#include "common/process.h"
#include "master/adoption.h"
#include "master/configuration.h"
#include "master/descriptor_limit.h"
#include "master/master.h"

namespace drover {
namespace {

constexpr Millis kHeritagePatience{5'000};
constexpr Millis kLookForOrders{250};
// The validator has ready_timeout, the workers have it again; the rest is for the binary to start.
constexpr Millis kUpgradeGrace{3'000};
constexpr int kSignalStatus = 128;  // and the signal's number: as a shell says it

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

int exit_status_of(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : kSignalStatus + WTERMSIG(wait_status);
}

}  // namespace

// --- taking over ---

Status Master::find_heritage() {
  RaisedDescriptorLimit limit;
  if (to_predecessor_.is_open()) {
    DROVER_TRY(Inheritance left, receive_heritage(to_predecessor_.get(), kHeritagePatience));
    limit.make_room(left.descriptors());
    inherit(std::move(left), std::move(to_predecessor_), Ancestor::kMaster);
    return Done{};
  }
  if (first_settings_.control.empty()) return use_passed_fds();
  Result<std::optional<Adoption>> found = ask_for_heritage(first_settings_.control);
  if (!found) return std::move(found).error().in("control socket " + first_settings_.control);
  if (!found->has_value()) return use_passed_fds();
  Adoption& adoption = **found;
  limit.make_room(adoption.inheritance.descriptors());
  inherit(std::move(adoption.inheritance), std::move(adoption.channel), Ancestor::kOrphan);
  return use_lent_fds();
}

void Master::inherit(Inheritance inheritance, UniqueFd channel, Ancestor ancestor) {
  const MasterHeritage& left = inheritance.heritage();
  log_.notice("taking over: version={} listeners={} zones={} generation={}", left.version,
              left.groups.size(), left.zones.size(), left.generation);
  next_generation_ = left.generation + 1;
  listeners_.inherit(inheritance, ancestor == Ancestor::kOrphan);
  context_.zones->inherit(inheritance, ancestor == Ancestor::kOrphan);
  for (const StoredFd& each : to_be_stored()) store_.know(each);
  for (const PredecessorHeritage& each : left.predecessors)
    predecessors_.add(each.pid, inheritance.claim(each.scoreboard_fd),
                      inheritance.claim(each.metrics_fd));
  ancestor_ = ancestor;
  if (ancestor == Ancestor::kMaster) {
    inherit_former(inheritance);
    keeper_fd_ = left.is_keeper ? UniqueFd(fcntl(channel.get(), F_DUPFD_CLOEXEC, 0))
                                : inheritance.claim(left.keeper_fd);
    is_keeper_ = is_keeper_ && !keeper_fd_.is_open();
    notify_.inherit(left.watchdog_us);
  }
  succession_.emplace(context_.base, std::move(channel), [this] { begin_to_speak(); });
  inheritance_ = std::move(inheritance);
}

Status Master::open_pid_file() {
  const std::string& path = first_settings_.pid;
  if (path.empty()) return Done{};
  const bool from_master = inheritance_ && ancestor_ == Ancestor::kMaster;
  if (from_master && inheritance_->heritage().pid_file.path == path && exists(path)) {
    const int fd = inheritance_->heritage().pid_file.fd;
    if (fd >= 0) return pid_file_.emplace(PidFile::inherit(path, inheritance_->claim(fd))), Done{};
  }
  DROVER_TRY(PidFile file, PidFile::create(path));
  pid_file_.emplace(std::move(file));
  return Done{};
}

// A socket whose file has gone cannot be reached any more: another one is bound.
Status Master::open_control() {
  const std::string& path = first_settings_.control;
  if (path.empty()) return Done{};
  ControlServer::Handler handler = [this](const std::string& command, const Reply& reply) {
    on_command(command, reply);
  };
  const bool is_inherited =
      inheritance_ && inheritance_->heritage().control.path == path && exists(path);
  if (is_inherited) {
    UniqueFd fd = inheritance_->claim(inheritance_->heritage().control.fd);
    control_ = ControlServer::inherit(context_.base, std::move(fd), path, &log_, handler);
  } else {
    DROVER_TRY(control_, ControlServer::listen(context_.base, path, &log_, handler));
  }
  context_.control_fd = control_->fd();
  context_.control_path = path;
  return Done{};
}

// The first generation serves: from here on this is the master. The predecessor, or the orphan in
// its place, is the judge of that: what it has to be told goes first.
void Master::take_over(const std::vector<std::uint32_t>& removed) {
  context_.zones->let_go_of_inherited();
  if (!inheritance_) return;
  pause_point("master.taking_over");
  tell_keeper();
  succession_->succeed(removed);
  context_.predecessor = nullptr;  // whoever is started from now on has no doubt about its master
  pause_point("master.succeeded");
  set_process_title("drover: master");
  if (pid_file_) {
    if (Status written = pid_file_->take_over(); !written)
      log_.error("{}", written.error().message());
  }
  if (ancestor_ == Ancestor::kMaster) unlink_former_paths();
  inheritance_.reset();
  predecessors_.start(current_->settings().worker_shutdown_timeout);
  const auto most = static_cast<std::size_t>(current_->settings().max_draining);
  predecessors_.leave_by(monotonic_now() + kCut, most);
  if (control_ != nullptr) control_->take_over();
}

void Master::unlink_former_paths() const {
  const MasterHeritage& left = inheritance_->heritage();
  for (const auto& [former, mine] :
       {std::pair(left.pid_file.path, paths_.pid), {left.control.path, paths_.control}}) {
    if (!former.empty() && former != mine) unlink(former.c_str());
  }
}

// Who has not taken over has no say over them.
void Master::stop_predecessors(Millis timeout) {
  if (inheritance_) return listeners_.let_go(), predecessors_.let_go();
  predecessors_.leave_by(monotonic_now() + timeout);
}

void Master::on_predecessor_gone(pid_t pid, const Predecessors::Counted& counted,
                                 bool was_unwatched) {
  seats_.add_retired(counted.totals);
  seats_.add_retired(counted.metrics);
  if (was_unwatched) context_.zones->count_unclean_end();
  log_.info("predecessor gone: pid={}", pid);
  leave_when_empty();
}

// --- giving away ---

MasterHeritage Master::heritage() const {
  MasterHeritage mine;
  mine.version = DROVER_VERSION;
  mine.generation = next_generation_ - 1;
  mine.groups = listeners_.heritage();
  for (const ZoneHeritage& zone : context_.zones->living())
    mine.zones.push_back({zone.name, zone.size_bytes, zone.fd});
  mine.predecessors.push_back({getpid(), context_.scoreboard_fd, context_.metrics->fd()});
  mine.predecessors.insert(mine.predecessors.end(), context_.predecessors.begin(),
                           context_.predecessors.end());
  if (control_ != nullptr) mine.control = {control_->path(), control_->fd()};
  if (pid_file_) mine.pid_file = {pid_file_->path(), pid_file_->fd()};
  mine.watchdog_us = notify_.watchdog_us();
  mine.is_keeper = is_keeper_;
  mine.keeper_fd = keeper_fd_.get();
  mine.former = leave(recovery_.former() ? *recovery_.former() : former_of(*current_));
  mine.failures = recovery_.failures();
  return mine;
}

// The new binary reads the files that are there now. One that this binary cannot read may be for
// the new one alone.
Millis Master::upgrade_patience() const {
  const ConfigResult coming = load_settings(options_);
  const Millis mine = current_->settings().ready_timeout;
  const Millis longest = coming.ok() ? std::max(mine, coming.settings.ready_timeout) : mine;
  return 2 * longest + kUpgradeGrace;
}

// One that comes while a generation is built begins when that is done.
void Master::upgrade(const Reply& reply) {
  if (coming_ != nullptr && life_ != Life::kStopping) return next_upgrade_askers_.push_back(reply);
  if (life_ != Life::kRunning || current_ == nullptr)
    return reply(1, "not upgraded: this daemon does not serve\n");
  upgrade_askers_.push_back(reply);
  if (upgrade_ != nullptr) return;
  log_.notice("upgrading: binary={}", launch_.binary);
  predecessors_.pause();
  Upgrade::Owner* me = this;
  auto started = Upgrade::start(context_, launch_, heritage(), upgrade_patience(), me);
  if (!started) return on_upgrade_failed(started.error().message());
  upgrade_ = std::move(started).value();
}

void Master::on_upgrade_failed(const std::string& why) {
  upgrade_.reset();
  context_.scoreboard->head.heir_pid = 0;
  log_.error_lines("upgrade failed: ", why);
  answer_upgrade(1, fmt::format("{}\nupgrade refused: the running binary goes on\n", why));
  predecessors_.resume();
  if (life_ == Life::kStopping) return leave_when_empty();
  if (pid_file_) static_cast<void>(pid_file_->take_over());  // it may have written its own already
  listeners_.put_back();
  begin_what_waits();
}

void Master::answer_upgrade(int status, const std::string& text) {
  for (const Reply& reply : std::exchange(upgrade_askers_, {})) reply(status, text);
}

void Master::on_upgrade_succeeded(const std::vector<std::uint32_t>& removed) {
  const pid_t successor = successor_ = upgrade_->pid();
  log_.notice("upgraded: pid={} serves, draining", successor);
  life_ = Life::kHandedOver;
  notify_.hand_over(successor);
  on_successor_changed(successor);
  if (control_ != nullptr) control_->let_go();
  if (pid_file_) pid_file_->let_go();
  context_.control_fd = -1;
  answer_upgrade(0, fmt::format("upgraded: pid {}\n", successor));
  pass_on_requests(successor);
  predecessors_.let_go();
  listeners_.let_go();
  current_->drain(current_->settings().worker_shutdown_timeout, removed);
  leaving_.push_back(std::move(current_));
  follow_.start_every(context_.base, kLookForOrders, this);
  burial_.start(context_.base, Millis{0}, this);
  if (is_keeper_) prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void Master::on_successor_changed(pid_t pid) {
  set_process_title(fmt::format("drover: former master, pid {} has taken over", pid));
}

// From a successor that is not its child, but a later one.
void Master::tell_keeper() {
  if (!keeper_fd_.is_open()) return;
  const SuccessorBody body{getpid()};
  const std::string packet =
      encode_message(MessageType::kSuccessor, {reinterpret_cast<const char*>(&body), sizeof body});
  send(keeper_fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// What came while the new binary was starting, which may have read its files before.
void Master::pass_on_requests(pid_t successor) {
  const std::string text = fmt::format("passed on to the new master, pid {}\n", successor);
  for (const auto& [askers, signal] :
       {std::pair(&next_reload_askers_, SIGHUP), {&reopen_askers_, SIGUSR1}}) {
    if (!askers->empty()) kill(successor, signal);
    for (const Reply& reply : std::exchange(*askers, {})) reply(0, text);
  }
}

// The successor has been told to stop, or has a generation too many: what drains here is cut short.
void Master::follow_successor() {
  const Millis leave_by{context_.scoreboard->head.leave_by_ms.load()};
  if (leave_by == Millis{0}) return;
  drain_within(std::max(Millis{0}, leave_by - monotonic_now()));
}

void Master::drain_within(Millis timeout) {
  for (const auto& generation : leaving_) {
    if (generation->state() == Generation::State::kDraining) generation->drain(timeout, {});
  }
}

// A signal to who is no longer the master. True: it was dealt with.
bool Master::is_for_successor(int number) {
  if (life_ != Life::kHandedOver || number == SIGCHLD) return false;
  if (is_keeper_) {
    if (number != SIGWINCH) kill(upgrade_->pid(), number);
    return true;
  }
  const bool ends_me = number == SIGTERM || number == SIGINT;  // it drains already, as for a QUIT
  if (!ends_me) log_.warning("SIG{} ignored: another has taken over", sigabbrev_np(number));
  return !ends_me;
}

// The keeper ends as its successor ended; what still drains here drains on by itself.
bool Master::on_successors_exit(pid_t pid, int wait_status) {
  if (upgrade_ == nullptr) return false;
  if (life_ != Life::kHandedOver) return upgrade_->on_exit(pid, wait_status);
  upgrade_->hear_last_words();  // perhaps that another has taken its place
  if (pid != upgrade_->pid()) return false;
  exit_status_ = exit_status_of(wait_status);
  event_base_loopexit(context_.base, nullptr);
  return true;
}

}  // namespace drover

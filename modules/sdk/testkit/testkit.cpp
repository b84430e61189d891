#include "testkit.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include "host_calls.hpp"
#include "setting_numbers.hpp"

namespace drover::testkit {
namespace {

constexpr std::size_t kMaxLeftover = std::size_t{128} * 1024;  // as in a worker
constexpr std::size_t kLowWater = DROVER_HIGH_WATER / 4;

ModuleTable table_of(const ModuleTable& module) {
  ModuleTable copy{};
  std::memcpy(&copy, &module, std::min(module.size, sizeof copy));
  return copy;
}

}  // namespace

const ModuleTable& load(const std::string& path) {
  void* object = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const void* table = object == nullptr ? nullptr : dlsym(object, "drover_module");
  if (table == nullptr) throw std::logic_error(dlerror());
  return *static_cast<const ModuleTable*>(table);
}

Host::Host(NotStarted /*how*/, const ModuleTable& module, Settings settings, Zones zones)
    : module_(table_of(module)),
      settings_(std::move(settings)),
      zones_(std::move(zones)),
      context_(std::make_unique<drover_context>(drover_context{this})) {
  read_settings();
}

// A directive without a default that the test does not give: its text is empty, its number 0.
void Host::read_settings() {
  for (std::size_t i = 0; i < module_.directive_count; ++i) {
    const drover_directive& row = module_.directives[i];
    const bool is_given = settings_.contains(row.name);
    Setting& setting = settings_[row.name];
    if (!is_given && row.default_text == nullptr) continue;
    if (!is_given) setting.text = row.default_text;
    if (!setting.number) setting.number = number_of(row, setting.text);
  }
  const auto is_row = [&](const std::string& name) {
    const std::span rows(module_.directives, module_.directive_count);
    return std::ranges::any_of(rows, [&](const auto& row) { return row.name == name; });
  };
  for (const auto& entry : settings_) {
    if (!is_row(entry.first)) throw std::logic_error("the module has no directive " + entry.first);
  }
}

Host::Host(const ModuleTable& module, Settings settings, Zones zones)
    : Host(NotStarted(), module, std::move(settings), std::move(zones)) {
  instance_ = this;  // anything but null, for a module that needs no instance
  if (module_.worker_init == nullptr) return;
  instance_ = module_.worker_init(&host_calls(), context_.get());
  if (instance_ == nullptr) throw_last_words("the module refused to start");
}

// As in Drover: the helper's hooks stand in the place of the instance's, and there are no others.
Host::Host(const ModuleTable& module, const HelperName& helper, Settings settings, Zones zones)
    : Host(NotStarted(), module, std::move(settings), std::move(zones)) {
  if (module_.helper_init == nullptr) throw std::logic_error("the module has no helper_init");
  helper_name_ = helper.name;
  const ModuleTable whole = std::exchange(module_, ModuleTable{});
  module_.worker_exit = whole.helper_exit;
  module_.on_worker_timer = whole.on_helper_timer;
  module_.on_doorbell = whole.on_helper_doorbell;
  instance_ = this;
  instance_ = whole.helper_init(&host_calls(), context_.get(), helper_name_.c_str());
  if (instance_ == nullptr) throw_last_words("the helper refused to start");
}

std::vector<std::string> Host::wanted_helpers(const ModuleTable& module, Settings settings) {
  Host host(NotStarted(), module, std::move(settings), {});
  if (host.module_.validate == nullptr) return {};
  host.is_validating_ = true;
  if (host.module_.validate(&host_calls(), host.context_.get()) == 0) return host.wanted_helpers_;
  host.throw_last_words("the module refused its configuration");
}

void Host::throw_last_words(const char* otherwise) const {
  throw std::logic_error(log_.empty() ? otherwise : log_.back().text);
}

Host::~Host() {
  for (const Outgoing& waiting : std::vector<Outgoing>(outgoing_)) refuse(waiting.conn, ECANCELED);
  for (const auto& entry : connections_) close(entry.first, DROVER_DRAINED);
  if (instance_ != nullptr && module_.worker_exit != nullptr) module_.worker_exit(instance_);
}

Host::Connection& Host::at(drover_conn conn) {
  return const_cast<Connection&>(std::as_const(*this).at(conn));
}

const Host::Connection& Host::at(drover_conn conn) const {
  const auto found = connections_.find(conn);
  if (found == connections_.end()) throw std::logic_error("there never was such a connection");
  return found->second;
}

Host::Connection* Host::find_live(drover_conn conn) {
  const auto found = connections_.find(conn);
  return found == connections_.end() || found->second.ended ? nullptr : &found->second;
}

drover_conn Host::add(std::string peer) {
  Connection& added = connections_[++last_id_];
  added.peer = std::move(peer);
  const std::size_t units = module_.conn_state_size / sizeof(std::max_align_t) + 1;
  added.state = std::make_unique<std::max_align_t[]>(units);  // zeroed
  return last_id_;
}

drover_conn Host::accept(std::string peer) {
  const drover_conn conn = add(std::move(peer));
  open(conn);
  end_batch();
  return conn;
}

void Host::open(drover_conn conn) {
  Connection& opened = at(conn);
  opened.is_open = hook_has_run_ = true;
  if (module_.on_open != nullptr) module_.on_open(instance_, conn, opened.state.get());
  if (is_draining_) tell_drain(conn);
  settle(conn);
}

void Host::feed(drover_conn conn, std::string_view bytes) {
  Connection& target = at(conn);
  if (target.peer_ended) throw std::logic_error("fed after its end of stream");
  if (!target.is_closing && !target.ended) target.held += bytes;  // else discarded
  settle(conn);
  end_batch();
}

void Host::feed_in_pieces(drover_conn conn, std::string_view bytes, std::size_t size) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
    feed(conn, bytes.substr(0, size));
  }
}

void Host::end(drover_conn conn) {
  at(conn).peer_ended = true;
  settle(conn);
  end_batch();
}

void Host::reset(drover_conn conn) { break_off(conn, DROVER_RESET); }
void Host::time_out(drover_conn conn) { break_off(conn, DROVER_TIMEOUT); }

// After a close whose end of stream has been sent the module has had its reason.
void Host::break_off(drover_conn conn, drover_close_reason reason) {
  const Connection& target = at(conn);
  close(conn, target.is_closing && target.fin_sent() ? target.reason : reason);
  end_batch();
}

std::string Host::read(drover_conn conn) {
  Connection& target = at(conn);
  return target.is_deaf ? std::string() : std::exchange(target.output, {});
}

void Host::set_deaf(drover_conn conn, bool is_deaf) {
  at(conn).is_deaf = is_deaf;
  settle(conn);
  end_batch();
}

std::string Host::take(drover_conn conn, std::size_t most) {
  std::string& output = at(conn).output;
  std::string taken = output.substr(0, most);
  output.erase(0, most);
  settle(conn);
  end_batch();
  return taken;
}

bool Host::has_ended(drover_conn conn) const { return at(conn).fin_sent() || at(conn).ended; }
std::optional<drover_close_reason> Host::closed(drover_conn conn) const { return at(conn).ended; }
bool Host::is_paused(drover_conn conn) const { return at(conn).is_paused; }

std::size_t Host::live() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections_, [](const auto& entry) { return !entry.second.ended; }));
}

void Host::ring() {
  hook_has_run_ = true;
  if (module_.on_doorbell != nullptr) module_.on_doorbell(instance_);
  end_batch();
}

void Host::drain() {
  is_draining_ = true;
  for (const auto& entry : connections_) tell_drain(entry.first);
  end_batch();
}

void Host::establish(drover_conn conn) {
  take_outgoing(conn);
  open(conn);
  end_batch();
}

void Host::refuse(drover_conn conn, int error) {
  const Outgoing refused = take_outgoing(conn);
  at(conn).ended = DROVER_RESET;
  hook_has_run_ = true;
  if (module_.on_connect_failed != nullptr) {
    module_.on_connect_failed(instance_, refused.tag, error);
  }
  end_batch();
}

Outgoing Host::take_outgoing(drover_conn conn) {
  const auto found = std::ranges::find(outgoing_, conn, &Outgoing::conn);
  if (found == outgoing_.end()) throw std::logic_error("not an outgoing connection that waits");
  Outgoing taken = *found;
  outgoing_.erase(found);
  return taken;
}

int Host::calls(const std::string& function) const {
  const auto found = calls_.find(function);
  return found == calls_.end() ? 0 : found->second;
}

std::int64_t Host::metric(std::string_view name) const {
  for (std::uint32_t index = 0; index < module_.metric_count; ++index) {
    if (name != module_.metrics[index].name) continue;
    const auto found = metrics_.find(index);
    return found == metrics_.end() ? 0 : found->second;
  }
  throw std::logic_error("the module declares no metric " + std::string(name));
}

// What is due after a hook, as in a worker: waiting input is offered when the module reads, the end
// of stream after it; and a connection goes when both ends have ended.
void Host::settle(drover_conn conn) {
  if (find_live(conn) == nullptr) return;
  check_water(conn);
  if (at(conn).reads() && !at(conn).held.empty()) offer(conn);
  if (at(conn).reads() && at(conn).peer_ended && !at(conn).eof_told) tell_end(conn);
  Connection& target = at(conn);
  if (target.is_broken) return close(conn, DROVER_RESET);
  if (!target.peer_ended || !target.fin_sent()) return;
  close(conn, target.reason);
}

// In memory of exactly that size, so that a sanitizer sees a module read beyond it.
void Host::offer(drover_conn conn) {
  Connection& target = at(conn);
  const std::string bytes = std::exchange(target.leftover, {}) + std::exchange(target.held, {});
  if (module_.on_data == nullptr) return;
  const auto memory = std::make_unique<char[]>(bytes.size());
  bytes.copy(memory.get(), bytes.size());
  hook_has_run_ = true;
  const std::int64_t consumed =
      module_.on_data(instance_, conn, target.state.get(), {memory.get(), bytes.size()});
  const bool is_nonsense = consumed < 0 || static_cast<std::size_t>(consumed) > bytes.size();
  if (is_nonsense) return close(conn, DROVER_MODULE_FAILED);
  if (!target.is_closing) target.leftover = bytes.substr(static_cast<std::size_t>(consumed));
  if (target.leftover.size() > kMaxLeftover) close(conn, DROVER_MODULE_FAILED);
}

void Host::tell_end(drover_conn conn) {
  Connection& target = at(conn);
  target.eof_told = hook_has_run_ = true;
  target.leftover.clear();
  if (module_.on_eof != nullptr) return module_.on_eof(instance_, conn, target.state.get());
  target.wants_fin = target.is_closing = true;
}

void Host::check_water(drover_conn conn) {
  Connection& target = at(conn);
  const bool was_throttled = target.is_throttled;
  target.is_throttled = was_throttled && target.pending() >= kLowWater;
  const bool may_write = was_throttled && !target.is_throttled && !target.wants_fin;
  if (!may_write || module_.on_writable == nullptr) return;
  hook_has_run_ = true;
  module_.on_writable(instance_, conn, target.state.get());
}

void Host::tell_drain(drover_conn conn) {
  Connection& target = at(conn);
  if (!target.is_open || target.is_closing || target.ended) return;
  if (std::exchange(target.drain_told, true) || module_.on_drain == nullptr) return;
  hook_has_run_ = true;
  module_.on_drain(instance_, conn, target.state.get());
}

// The handle is stale before on_close is called, as in a worker.
void Host::close(drover_conn conn, drover_close_reason reason) {
  Connection& target = at(conn);
  if (std::exchange(target.ended, target.ended.value_or(reason))) return;
  end_children_of(conn, reason);
  if (!target.is_open) return;
  hook_has_run_ = true;
  if (module_.on_close != nullptr) module_.on_close(instance_, conn, target.state.get(), reason);
}

// A hook may have written to other connections, closed them or let them read.
void Host::end_batch() {
  settle_all();
  while (std::exchange(hook_has_run_, false)) {
    if (module_.on_batch_end != nullptr) module_.on_batch_end(instance_);
    settle_all();
  }
}

void Host::settle_all() {
  settle_children();
  for (const auto& entry : connections_) settle(entry.first);
}

void Host::pass(std::chrono::milliseconds time) {
  const std::int64_t until = now_ms_ + time.count();
  while (ring_next(until)) end_batch();
  now_ms_ = until;
}

// The earliest of all timers, if it is due by then.
bool Host::ring_next(std::int64_t until_ms) {
  std::int64_t earliest = until_ms + 1;
  drover_conn conn = 0;
  drover_timer timer = 0;
  for (const auto& [id, each] : connections_) {
    if (each.ended || !each.timer_ms || *each.timer_ms >= earliest) continue;
    earliest = *each.timer_ms;
    conn = id;
  }
  for (const auto& [id, each] : timers_) {
    if (each.at_ms >= earliest) continue;
    earliest = each.at_ms;
    timer = id;
  }
  const auto late = std::ranges::find_if(
      outgoing_, [&](const Outgoing& each) { return each.deadline_ms < earliest; });
  if (late != outgoing_.end()) return refuse(late->conn, ETIMEDOUT), true;
  if (earliest > until_ms) return false;
  now_ms_ = earliest;
  timer != 0 ? ring_worker(timer) : ring_connection(conn);
  return true;
}

void Host::ring_connection(drover_conn conn) {
  Connection& target = at(conn);
  target.timer_ms.reset();
  if (!target.is_open || target.is_closing || module_.on_timer == nullptr) return;
  hook_has_run_ = true;
  module_.on_timer(instance_, conn, target.state.get());
}

void Host::ring_worker(drover_timer timer) {
  const std::uint64_t tag = timers_.extract(timer).mapped().tag;
  hook_has_run_ = true;
  module_.on_worker_timer(instance_, tag);
}

}  // namespace drover::testkit

#include "host_calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "child_calls.hpp"

struct drover_file {
  std::string content;
};

namespace drover::testkit {

// Each function counts its call, and does nothing on a connection that has gone.
struct HostCalls {
  static Host& called(drover_context* context, const char* function) {
    ++context->host->calls_[function];
    return *context->host;
  }
  static Host::Connection* find(drover_context* context, drover_conn conn, const char* function) {
    Host& host = called(context, function);
    Host::Connection* connection = host.find_live(conn);
    if (connection == nullptr) ++host.calls_["stale"];
    return connection;
  }
  static void append(Host::Connection* connection, std::string_view bytes) {
    const bool may_write = connection != nullptr && connection->is_open && !connection->wants_fin;
    if (may_write) connection->output += bytes;
    if (may_write && connection->pending() > DROVER_HIGH_WATER) connection->is_throttled = true;
  }

  static void write(drover_context* context, drover_conn conn, drover_slice bytes) {
    append(find(context, conn, "write"), {static_cast<const char*>(bytes.data), bytes.size});
  }
  static void half_close(drover_context* context, drover_conn conn) {
    if (auto* connection = find(context, conn, "half_close")) connection->wants_fin = true;
  }
  static void close(drover_context* context, drover_conn conn) {
    auto* connection = find(context, conn, "close");
    if (connection == nullptr || connection->is_closing) return;
    connection->reason = DROVER_CLOSED_BY_MODULE;
    connection->wants_fin = connection->is_closing = true;
    connection->leftover.clear();
  }
  static void pause_reading(drover_context* context, drover_conn conn) {
    if (auto* connection = find(context, conn, "pause_reading")) connection->is_paused = true;
  }
  static void resume_reading(drover_context* context, drover_conn conn) {
    if (auto* connection = find(context, conn, "resume_reading")) connection->is_paused = false;
  }
  static std::size_t pending_output(drover_context* context, drover_conn conn) {
    const auto* connection = find(context, conn, "pending_output");
    return connection == nullptr ? 0 : connection->pending();
  }
  static std::size_t peer_name(drover_context* context, drover_conn conn, char* buffer,
                               std::size_t capacity) {
    const auto* connection = find(context, conn, "peer_name");
    if (connection == nullptr || capacity == 0) return 0;
    const std::size_t length = std::min(connection->peer.size(), capacity - 1);
    connection->peer.copy(buffer, length);
    buffer[length] = '\0';
    return length;
  }
  static void log(drover_context* context, drover_log_level level, const char* message) {
    called(context, "log").log_.push_back({level, message});
  }

  static std::int64_t now_ms(drover_context* context) { return called(context, "now_ms").now_ms_; }
  static std::int64_t deadline(const Host& host, std::int64_t after_ms) {
    return host.now_ms_ + std::max<std::int64_t>(after_ms, 1);
  }
  static void set_timer(drover_context* context, drover_conn conn, std::int64_t after_ms) {
    auto* connection = find(context, conn, "set_timer");
    if (connection != nullptr) connection->timer_ms = deadline(*context->host, after_ms);
  }
  static void cancel_timer(drover_context* context, drover_conn conn) {
    if (auto* connection = find(context, conn, "cancel_timer")) connection->timer_ms.reset();
  }
  static drover_timer start_timer(drover_context* context, std::int64_t after_ms,
                                  std::uint64_t tag) {
    Host& host = called(context, "start_timer");
    if (host.module_.on_worker_timer == nullptr) return 0;
    if (host.timers_.size() >= DROVER_MOST_TIMERS) {
      host.log_.push_back(
          {DROVER_LOG_ERROR, "has " + std::to_string(host.timers_.size()) + " timers already"});
      return 0;
    }
    host.timers_[++host.last_id_] = {deadline(host, after_ms), tag};
    return host.last_id_;
  }
  static void stop_timer(drover_context* context, drover_timer timer) {
    called(context, "stop_timer").timers_.erase(timer);
  }

  static void* state_of(drover_context* context, drover_conn conn) {
    const auto* connection = find(context, conn, "state_of");
    return connection == nullptr || !connection->is_open ? nullptr : connection->state.get();
  }

  // What the client has been given has left.
  static void write_reference(drover_context* context, drover_conn conn, drover_slice bytes,
                              void (*release)(void* argument), void* argument) {
    append(find(context, conn, "write_reference"),
           {static_cast<const char*>(bytes.data), bytes.size});
    if (release != nullptr) release(argument);
  }
  static drover_file* file_open(drover_context* context, const char* path,
                                std::uint64_t* size_bytes, int* error) {
    const auto& files = called(context, "file_open").files;
    const auto found = files.find(path);
    *error = found == files.end() ? ENOENT : 0;
    if (*error != 0) return nullptr;
    *size_bytes = found->second.size();
    return new drover_file{found->second};
  }
  static void file_close(drover_context* context, drover_file* file) {
    called(context, "file_close");
    delete file;
  }
  // A worker breaks the connection as it finds out; so does this.
  static void write_file(drover_context* context, drover_conn conn, drover_file* file,
                         std::uint64_t offset, std::uint64_t size_bytes) {
    auto* connection = find(context, conn, "write_file");
    const std::string_view content = file->content;
    const std::string_view there = content.substr(std::min<std::uint64_t>(offset, content.size()));
    append(connection, there.substr(0, size_bytes));
    if (connection != nullptr && there.size() < size_bytes) connection->is_broken = true;
  }

  static drover_conn connect(drover_context* context, const char* address, std::int64_t timeout_ms,
                             std::uint64_t tag) {
    Host& host = called(context, "connect");
    if (!host.helper_name_.empty()) return 0;
    const drover_conn conn = host.add(address);
    host.connections_[conn].tag = tag;
    host.outgoing_.push_back({conn, address, tag, host.now_ms_ + timeout_ms});
    return conn;
  }
  static std::uint64_t tag(drover_context* context, drover_conn conn) {
    const auto* connection = find(context, conn, "tag");
    return connection == nullptr ? 0 : connection->tag;
  }

  static const char* config_text(drover_context* context, const char* name) {
    const auto& settings = called(context, "config_text").settings_;
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : found->second.text.c_str();
  }
  static std::int64_t config_number(drover_context* context, const char* name) {
    const auto& settings = called(context, "config_number").settings_;
    const auto found = settings.find(name);
    return found == settings.end() ? 0 : found->second.number.value_or(0);
  }

  static drover_zone_result zone(drover_context* context, const char* name,
                                 const drover_zone_layout* layout, drover_zone* out) {
    Host& host = called(context, "zone");
    const auto found = host.zones_.find(name);
    if (host.instance_ != &host) return DROVER_ZONE_NOT_NOW;  // worker_init has returned
    if (found == host.zones_.end()) return DROVER_ZONE_UNKNOWN;
    Host::Zone& zone = *found->second;
    out->memory = zone.pages.data();
    out->memory_size = zone.size_bytes;
    out->unclean_ends = &zone.unclean_ends;
    const bool is_ready = zone.is_initialised || layout->initialise == nullptr ||
                          layout->initialise(layout->argument, out->memory, out->memory_size) == 0;
    zone.is_initialised = is_ready;
    return is_ready ? DROVER_ZONE_GRANTED : DROVER_ZONE_FAILED;
  }
  static Host::Zone::Lease* lease(Host& host, const drover_zone* zone, std::uint32_t index) {
    for (const auto& entry : host.zones_) {
      const bool is_it = entry.second->pages.data() == zone->memory;
      if (is_it && index < DROVER_ZONE_LEASES) return &entry.second->leases[index];
    }
    return nullptr;
  }
  static int hold(Host& host, Host::Zone::Lease& lease, std::uint32_t milliseconds) {
    if (milliseconds == 0 || milliseconds > DROVER_LONGEST_LEASE) return 0;
    lease = {&host, host.now_ms_ + milliseconds};
    return 1;
  }
  static int lease_take(drover_context* context, const drover_zone* zone, std::uint32_t index,
                        std::uint32_t milliseconds) {
    Host& host = called(context, "lease_take");
    Host::Zone::Lease* found = lease(host, zone, index);
    const bool is_free = found != nullptr && (found->holder == nullptr || found->holder == &host ||
                                              found->until_ms <= host.now_ms_);
    return is_free ? hold(host, *found, milliseconds) : 0;
  }
  static int lease_keep(drover_context* context, const drover_zone* zone, std::uint32_t index,
                        std::uint32_t milliseconds) {
    Host& host = called(context, "lease_keep");
    Host::Zone::Lease* found = lease(host, zone, index);
    return found != nullptr && found->holder == &host ? hold(host, *found, milliseconds) : 0;
  }
  static void lease_give_back(drover_context* context, const drover_zone* zone,
                              std::uint32_t index) {
    Host& host = called(context, "lease_give_back");
    Host::Zone::Lease* found = lease(host, zone, index);
    if (found != nullptr && found->holder == &host) *found = {};
  }

  static std::uint32_t slot(drover_context* context) {
    const Host& host = called(context, "slot");
    return host.helper_name_.empty() ? host.slot : host.slots;
  }
  static std::uint32_t slots(drover_context* context) { return called(context, "slots").slots; }
  static void ring(drover_context* context, std::uint32_t slot) {
    Host& host = called(context, "ring");
    if (slot < host.slots) host.rung_.push_back(slot);
  }

  static std::int64_t* metric(Host& host, std::uint32_t index, drover_metric_kind kind) {
    const bool is_there =
        index < host.module_.metric_count && host.module_.metrics[index].kind == kind;
    if (is_there) return &host.metrics_[index];
    const std::string what = kind == DROVER_COUNTER ? "counter " : "gauge ";
    if (std::exchange(host.has_counted_wrongly_, true)) return nullptr;
    host.log_.push_back(
        {DROVER_LOG_ERROR, "its table has no " + what + std::to_string(index) + ": not counted"});
    return nullptr;
  }
  static void count(drover_context* context, std::uint32_t index, std::uint64_t add) {
    std::int64_t* found = metric(called(context, "count"), index, DROVER_COUNTER);
    if (found != nullptr) *found += static_cast<std::int64_t>(add);
  }
  static void gauge(drover_context* context, std::uint32_t index, std::int64_t value) {
    std::int64_t* found = metric(called(context, "gauge"), index, DROVER_GAUGE);
    if (found != nullptr) *found = value;
  }
  static int want_helper(drover_context* context, const char* name) {
    Host& host = called(context, "want_helper");
    const auto& wanted = host.wanted_helpers_;
    const bool is_new = std::ranges::find(wanted, name) == wanted.end();
    const bool may_have = host.is_validating_ && host.module_.helper_init != nullptr && is_new &&
                          wanted.size() < DROVER_HELPERS;
    if (!may_have) return log(context, DROVER_LOG_ERROR, "helper refused"), 0;
    host.wanted_helpers_.emplace_back(name);
    return 1;
  }
  static void ring_helper(drover_context* context, const char* name) {
    called(context, "ring_helper").rung_helpers_.emplace_back(name);
  }
};

const drover_host& host_calls() {
  static constexpr drover_host kTable{.size = sizeof(drover_host),
                                      .abi = DROVER_ABI,
                                      .write = HostCalls::write,
                                      .half_close = HostCalls::half_close,
                                      .close = HostCalls::close,
                                      .pause_reading = HostCalls::pause_reading,
                                      .resume_reading = HostCalls::resume_reading,
                                      .pending_output = HostCalls::pending_output,
                                      .peer_name = HostCalls::peer_name,
                                      .log = HostCalls::log,
                                      .now_ms = HostCalls::now_ms,
                                      .set_timer = HostCalls::set_timer,
                                      .cancel_timer = HostCalls::cancel_timer,
                                      .start_timer = HostCalls::start_timer,
                                      .stop_timer = HostCalls::stop_timer,
                                      .state_of = HostCalls::state_of,
                                      .write_reference = HostCalls::write_reference,
                                      .file_open = HostCalls::file_open,
                                      .file_close = HostCalls::file_close,
                                      .write_file = HostCalls::write_file,
                                      .connect = HostCalls::connect,
                                      .tag = HostCalls::tag,
                                      .config_text = HostCalls::config_text,
                                      .config_number = HostCalls::config_number,
                                      .zone = HostCalls::zone,
                                      .lease_take = HostCalls::lease_take,
                                      .lease_keep = HostCalls::lease_keep,
                                      .lease_give_back = HostCalls::lease_give_back,
                                      .slot = HostCalls::slot,
                                      .slots = HostCalls::slots,
                                      .ring = HostCalls::ring,
                                      .server = ChildCalls::server,
                                      .open_child = ChildCalls::open_child,
                                      .child_data = ChildCalls::child_data,
                                      .child_end = ChildCalls::child_end,
                                      .child_reset = ChildCalls::child_reset,
                                      .child_writable = ChildCalls::child_writable,
                                      .count = HostCalls::count,
                                      .gauge = HostCalls::gauge,
                                      .want_helper = HostCalls::want_helper,
                                      .ring_helper = HostCalls::ring_helper};
  return kTable;
}

}  // namespace drover::testkit

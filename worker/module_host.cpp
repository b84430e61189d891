#include "worker/module_host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "worker/connection.h"
#include "worker/hook_run.h"
#include "worker/module_children.h"
#include "worker/module_helpers.h"
#include "worker/module_zones.h"

struct drover_file {
  std::shared_ptr<const drover::UniqueFd> fd;  // what is being sent keeps it open too
};

namespace drover {
namespace {

void write(drover_context* context, drover_conn conn, drover_slice bytes) {
  Connection* connection = find_connection(context, conn);
  if (connection == nullptr || bytes.size == 0) return;
  connection->write({static_cast<const char*>(bytes.data), bytes.size});
}

void write_reference(drover_context* context, drover_conn conn, drover_slice bytes,
                     void (*release)(void* argument), void* argument) {
  LentBytes lent({static_cast<const char*>(bytes.data), bytes.size}, release, argument);
  if (Connection* connection = find_connection(context, conn)) connection->write(std::move(lent));
}

drover_file* file_open(drover_context* /*context*/, const char* path, uint64_t* size_bytes,
                       int* error) {
  UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  const bool is_there = fd.is_open() && fstat(fd.get(), &status) == 0;
  *error = !is_there ? errno : S_ISREG(status.st_mode) ? 0 : EISDIR;
  if (*error != 0) return nullptr;
  *size_bytes = static_cast<uint64_t>(status.st_size);
  return new drover_file{std::make_shared<UniqueFd>(std::move(fd))};
}

void file_close(drover_context* /*context*/, drover_file* file) { delete file; }

void write_file(drover_context* context, drover_conn conn, drover_file* file, uint64_t offset,
                uint64_t size_bytes) {
  if (Connection* connection = find_connection(context, conn)) {
    connection->write(FileRange{file->fd, offset, size_bytes});
  }
}

void half_close(drover_context* context, drover_conn conn) {
  if (Connection* connection = find_connection(context, conn)) connection->half_close();
}

void close(drover_context* context, drover_conn conn) {
  if (Connection* connection = find_connection(context, conn)) connection->close();
}

void pause_reading(drover_context* context, drover_conn conn) {
  if (Connection* connection = find_connection(context, conn)) connection->set_paused(true);
}

void resume_reading(drover_context* context, drover_conn conn) {
  if (Connection* connection = find_connection(context, conn)) connection->set_paused(false);
}

size_t pending_output(drover_context* context, drover_conn conn) {
  const Connection* connection = find_connection(context, conn);
  return connection == nullptr ? 0 : connection->pending_output();
}

size_t peer_name(drover_context* context, drover_conn conn, char* buffer, size_t capacity) {
  const Connection* connection = find_connection(context, conn);
  if (connection == nullptr || capacity == 0) return 0;
  const std::string name = connection->peer().to_string();
  const std::size_t length = std::min(name.size(), capacity - 1);
  std::memcpy(buffer, name.data(), length);
  buffer[length] = '\0';
  return length;
}

void log(drover_context* context, drover_log_level level, const char* message) {
  Server& server = *context->server;
  server.last_message = message;
  const auto severity = static_cast<LogLevel>(
      std::clamp(static_cast<int>(level), 0, static_cast<int>(LogLevel::kDebug)));
  if (!server.core.log().is_enabled(severity)) return;
  server.core.log().write(severity, fmt::format("module message server={} module={}: {}",
                                                server.settings.name, server.module.name, message));
}

static_assert(static_cast<int>(LogLevel::kDebug) == DROVER_LOG_DEBUG);

int64_t now_ms(drover_context* context) { return context->server->core.now().count(); }

void set_timer(drover_context* context, drover_conn conn, int64_t after_ms) {
  if (find_connection(context, conn) != nullptr)
    context->server->core.timers().set(conn, Millis{after_ms});
}

void cancel_timer(drover_context* context, drover_conn conn) {
  if (find_connection(context, conn) != nullptr) context->server->core.timers().cancel(conn);
}

drover_timer start_timer(drover_context* context, int64_t after_ms, uint64_t tag) {
  Server& server = *context->server;
  if (server.module.on_worker_timer == nullptr || server.is_closed) return 0;
  if (server.timers < DROVER_MOST_TIMERS)
    return server.core.timers().start(server, Millis{after_ms}, tag);
  if (server.core.may_log())
    log(context, DROVER_LOG_ERROR, fmt::format("has {} timers already", server.timers).c_str());
  return 0;
}

void stop_timer(drover_context* context, drover_timer timer) {
  context->server->core.timers().stop(*context->server, timer);
}

void* state_of(drover_context* context, drover_conn conn) {
  Connection* connection = find_connection(context, conn);
  return connection != nullptr && connection->is_open() ? connection->state() : nullptr;
}

drover_conn connect(drover_context* context, const char* address, int64_t timeout_ms,
                    uint64_t tag) {
  const Result<Address> to = Address::parse(address);
  if (!to.ok() || context->server->is_closed) return 0;
  return Connection::connect(*context->server, to.value(), Millis{timeout_ms}, tag);
}

uint64_t tag(drover_context* context, drover_conn conn) {
  const Connection* connection = find_connection(context, conn);
  return connection == nullptr ? 0 : connection->tag();
}

// A name that is not in the table, or not a number's: a bug of the module, told where its author
// looks first.
void log_misuse(drover_context* context, const char* name, const char* what) {
  log(context, DROVER_LOG_ERROR, fmt::format("asks for its directive {} {}", name, what).c_str());
}

const char* config_text(drover_context* context, const char* name) {
  const DirectiveValue* value = context->server->config.find(name);
  if (value != nullptr) return value->text.c_str();
  log_misuse(context, name, "which is not in its table");
  return nullptr;
}

int64_t config_number(drover_context* context, const char* name) {
  const DirectiveValue* value = context->server->config.find(name);
  if (value != nullptr && value->number) return *value->number;
  log_misuse(context, name, value == nullptr ? "which is not in its table" : "which is no number");
  return 0;
}

uint32_t slots(drover_context* context) {
  return static_cast<uint32_t>(context->server->heritage->slots);
}

// A helper has no slot, and gets a number that no worker has.
uint32_t slot(drover_context* context) {
  const Heritage& heritage = *context->server->heritage;
  return heritage.role == Role::kHelper ? slots(context) : static_cast<uint32_t>(heritage.slot);
}

void ring(drover_context* context, uint32_t slot_number) {
  const std::vector<int>& doorbells = context->server->heritage->doorbells;
  if (slot_number < doorbells.size()) ring_doorbell(doorbells[slot_number]);
}

// Once for each instance: it may do so with each message.
void log_wrong_metric(drover_context* context, const char* kind, uint32_t index) {
  if (!context->server->metrics.may_complain()) return;
  const std::string what = fmt::format("its table has no {} {}: not counted", kind, index);
  log(context, DROVER_LOG_ERROR, what.c_str());
}

void count(drover_context* context, uint32_t index, uint64_t add) {
  if (!context->server->metrics.add(index, add)) log_wrong_metric(context, "counter", index);
}

void gauge(drover_context* context, uint32_t index, int64_t value) {
  if (!context->server->metrics.set(index, value)) log_wrong_metric(context, "gauge", index);
}

constexpr drover_host kHost{.size = sizeof(drover_host),
                            .abi = DROVER_ABI,
                            .write = write,
                            .half_close = half_close,
                            .close = close,
                            .pause_reading = pause_reading,
                            .resume_reading = resume_reading,
                            .pending_output = pending_output,
                            .peer_name = peer_name,
                            .log = log,
                            .now_ms = now_ms,
                            .set_timer = set_timer,
                            .cancel_timer = cancel_timer,
                            .start_timer = start_timer,
                            .stop_timer = stop_timer,
                            .state_of = state_of,
                            .write_reference = write_reference,
                            .file_open = file_open,
                            .file_close = file_close,
                            .write_file = write_file,
                            .connect = connect,
                            .tag = tag,
                            .config_text = config_text,
                            .config_number = config_number,
                            .zone = module_zone,
                            .lease_take = module_lease_take,
                            .lease_keep = module_lease_keep,
                            .lease_give_back = module_lease_give_back,
                            .slot = slot,
                            .slots = slots,
                            .ring = ring,
                            .server = module_server,
                            .open_child = module_open_child,
                            .child_data = module_child_data,
                            .child_end = module_child_end,
                            .child_reset = module_child_reset,
                            .child_writable = module_child_writable,
                            .count = count,
                            .gauge = gauge,
                            .want_helper = module_want_helper,
                            .ring_helper = module_ring_helper};

}  // namespace

Error module_refusal(const Server& server, const std::string& what) {
  return Error(
      fmt::format("server {}: module {} refused {}: {}", server.settings.name, server.module.name,
                  what, server.last_message.empty() ? "it gave no reason" : server.last_message));
}

const drover_host& module_host() { return kHost; }

Connection* find_connection(drover_context* context, drover_conn conn) {
  ConnectionCore& core = context->server->core;
  Connection* connection = core.table().find(conn);
  if (connection != nullptr && &connection->server() == context->server) return connection;
  ConnectionCore::count(core.counters().stale_handles);
  return nullptr;
}

Status start_module(Server& server) {
  server.instance = &server;  // anything but null, for a module that needs no instance
  if (server.module.worker_init == nullptr) return Done{};
  RunningMark mark(server);
  server.is_starting = true;
  server.instance = server.module.worker_init(&module_host(), &server.context);
  server.is_starting = false;
  if (server.instance != nullptr) return Done{};
  mark.keep();  // the worker ends of it
  return module_refusal(server, "to start");
}

Status validate_module(Server& server) {
  if (server.module.validate(&module_host(), &server.context) == 0) return Done{};
  return module_refusal(server, "its configuration").in(server.settings.source.to_string());
}

void stop_module(Server& server) {
  if (server.instance == nullptr) return;
  server.core.timers().stop_all(server);
  if (server.module.worker_exit != nullptr) server.module.worker_exit(server.instance);
  if (server.zones != nullptr) server.zones->give_back_leases_of(&server);
  server.instance = nullptr;
}

}  // namespace drover

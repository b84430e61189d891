#include "worker/module_host.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>

#include "worker/connection.h"
#include "worker/module_zones.h"

namespace drover {
namespace {

// Null for a connection that has gone, which is counted.
Connection* find(drover_context* context, drover_conn conn) {
  ConnectionCore& core = context->server->core;
  Connection* connection = core.table().find(conn);
  if (connection == nullptr) ConnectionCore::count(core.counters().stale_handles);
  return connection;
}

void write(drover_context* context, drover_conn conn, drover_slice bytes) {
  Connection* connection = find(context, conn);
  if (connection == nullptr || bytes.size == 0) return;
  connection->write({static_cast<const char*>(bytes.data), bytes.size});
}

void half_close(drover_context* context, drover_conn conn) {
  if (Connection* connection = find(context, conn)) connection->half_close();
}

void close(drover_context* context, drover_conn conn) {
  if (Connection* connection = find(context, conn)) connection->close();
}

void pause_reading(drover_context* context, drover_conn conn) {
  if (Connection* connection = find(context, conn)) connection->set_paused(true);
}

void resume_reading(drover_context* context, drover_conn conn) {
  if (Connection* connection = find(context, conn)) connection->set_paused(false);
}

size_t pending_output(drover_context* context, drover_conn conn) {
  const Connection* connection = find(context, conn);
  return connection == nullptr ? 0 : connection->pending_output();
}

size_t peer_name(drover_context* context, drover_conn conn, char* buffer, size_t capacity) {
  const Connection* connection = find(context, conn);
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

uint32_t slot(drover_context* context) {
  return static_cast<uint32_t>(context->server->heritage->slot);
}

uint32_t slots(drover_context* context) {
  return static_cast<uint32_t>(context->server->heritage->slots);
}

void ring(drover_context* context, uint32_t slot_number) {
  const std::vector<int>& doorbells = context->server->heritage->doorbells;
  // Full only after 2^64 - 2 unread rings, in which case it is ringing.
  if (slot_number < doorbells.size()) eventfd_write(doorbells[slot_number], 1);
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
                            .zone = module_zone,
                            .lease_take = module_lease_take,
                            .lease_keep = module_lease_keep,
                            .lease_give_back = module_lease_give_back,
                            .slot = slot,
                            .slots = slots,
                            .ring = ring};

}  // namespace

const drover_host& module_host() { return kHost; }

Status start_module(Server& server) {
  server.instance = &server;  // anything but null, for a module that needs no instance
  if (server.module.worker_init == nullptr) return Done{};
  server.is_starting = true;
  server.instance = server.module.worker_init(&module_host(), &server.context);
  server.is_starting = false;
  if (server.instance != nullptr) return Done{};
  return Error(fmt::format(
      "server {}: module {} refused to start: {}", server.settings.name, server.module.name,
      server.last_message.empty() ? "it gave no reason" : server.last_message));
}

void stop_module(Server& server) {
  if (server.instance == nullptr) return;
  if (server.module.worker_exit != nullptr) server.module.worker_exit(server.instance);
  if (server.zones != nullptr) server.zones->give_back_leases_of(&server);
  server.instance = nullptr;
}

}  // namespace drover

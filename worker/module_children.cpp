#include "worker/module_children.h"

#include <algorithm>
#include <cstring>

#include "worker/child_transport.h"
#include "worker/connection.h"
#include "worker/module_host.h"
#include "worker/server.h"

namespace drover {
namespace {

static_assert(ChildTransport::kMaxInbox == DROVER_CHILD_INBOX);

constexpr std::size_t kLeastTransport = offsetof(drover_transport, close) + sizeof(void*);

// Null for a connection that has gone or that another carries, which is counted.
Connection* find_child(drover_context* context, drover_conn child) {
  ConnectionCore& core = context->server->core;
  Connection* connection = core.table().find(child);
  const ChildTransport* stream = connection == nullptr ? nullptr : connection->stream();
  if (stream != nullptr && stream->carrier().server == context->server) return connection;
  ConnectionCore::count(core.counters().stale_handles);
  return nullptr;
}

template <class Change>
void change(drover_context* context, drover_conn child, Change change_stream) {
  Connection* connection = find_child(context, child);
  if (connection == nullptr) return;
  change_stream(*connection->stream());
  connection->settle_soon();
}

// What lies in the read buffer is not copied.
bool lend(Connection& connection, drover_conn child, std::string_view bytes) {
  LentInput& lent = connection.server().core.lent();
  if (!lent.can_lend(bytes) || !connection.stream()->lend(bytes.size())) return false;
  lent.lend(child, bytes);
  return true;
}

}  // namespace

const drover_server* module_server(drover_context* context, const char* name) {
  const auto* all = context->server->all;
  if (all == nullptr) return nullptr;
  const auto found =
      std::ranges::find_if(*all, [&](const auto& server) { return server->settings.name == name; });
  return found == all->end() ? nullptr : &(*found)->name;
}

drover_conn module_open_child(drover_context* context, drover_conn parent,
                              const drover_server* server, const drover_transport* transport,
                              void* argument) {
  Server& carrier = *context->server;
  const bool is_complete = transport->size >= kLeastTransport && transport->write != nullptr &&
                           transport->close != nullptr;
  const bool is_open = server != nullptr && !server->server->is_closed && !carrier.is_closed;
  if (!is_open || !is_complete || find_connection(context, parent) == nullptr) return 0;
  StreamCarrier stream{.server = &carrier, .parent = parent, .argument = argument};
  std::memcpy(&stream.table, transport, std::min(transport->size, sizeof stream.table));
  return Connection::open_child(*server->server, stream);
}

size_t module_child_data(drover_context* context, drover_conn child, drover_slice bytes) {
  Connection* connection = find_child(context, child);
  if (connection == nullptr) return 0;
  const std::string_view input{static_cast<const char*>(bytes.data), bytes.size};
  const bool is_taken = lend(*connection, child, input) || connection->stream()->put(input);
  is_taken ? connection->settle_soon() : connection->fail_stream();
  return connection->stream()->waiting();
}

void module_child_end(drover_context* context, drover_conn child) {
  change(context, child, [](ChildTransport& stream) { stream.put_end(); });
}

void module_child_reset(drover_context* context, drover_conn child) {
  change(context, child, [](ChildTransport& stream) { stream.put_reset(); });
}

void module_child_writable(drover_context* context, drover_conn child) {
  change(context, child, [](ChildTransport& stream) { stream.set_writable(); });
}

}  // namespace drover

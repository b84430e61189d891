// Streams that the module under test carries: its calls, and the protocol behind them, which is the
// test.
#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "child_calls.hpp"
#include "host_calls.hpp"

namespace drover::testkit {

Host::Child* ChildCalls::find(drover_context* context, drover_conn child, const char* function) {
  Host& host = *context->host;
  ++host.calls_[function];
  const auto found = host.children_.find(child);
  const bool is_live = found != host.children_.end() && !found->second.closed;
  if (!is_live) ++host.calls_["stale"];
  return is_live ? &found->second : nullptr;
}

const drover_server* ChildCalls::server(drover_context* context, const char* name) {
  Host& host = *context->host;
  ++host.calls_["server"];
  auto& known = host.servers_[name];
  if (known == nullptr) known = std::make_shared<drover_server>(drover_server{name});
  return known.get();
}

drover_conn ChildCalls::open_child(drover_context* context, drover_conn parent,
                                   const drover_server* server, const drover_transport* transport,
                                   void* argument) {
  Host& host = *context->host;
  ++host.calls_["open_child"];
  if (host.refuses_children || server == nullptr || host.find_live(parent) == nullptr) return 0;
  Host::Child& child = host.children_[++host.last_id_];
  child.parent = parent;
  child.server = server->name;
  child.argument = argument;
  std::memcpy(&child.transport, transport, std::min(transport->size, sizeof child.transport));
  return host.last_id_;
}

std::size_t ChildCalls::child_data(drover_context* context, drover_conn child, drover_slice bytes) {
  Host::Child* target = find(context, child, "child_data");
  if (target == nullptr) return 0;
  if (target->peer_ended || target->inbox.size() + bytes.size > DROVER_CHILD_INBOX) {
    target->broken = DROVER_MODULE_FAILED;
  } else {
    target->inbox.append(static_cast<const char*>(bytes.data), bytes.size);
  }
  return target->inbox.size();
}

void ChildCalls::child_end(drover_context* context, drover_conn child) {
  if (auto* target = find(context, child, "child_end")) target->peer_ended = true;
}
void ChildCalls::child_reset(drover_context* context, drover_conn child) {
  if (auto* target = find(context, child, "child_reset")) target->broken = DROVER_RESET;
}
void ChildCalls::child_writable(drover_context* context, drover_conn child) {
  if (auto* target = find(context, child, "child_writable")) target->was_writable = true;
}

std::vector<drover_conn> Host::children() const {
  std::vector<drover_conn> living;
  for (const auto& [conn, child] : children_) {
    if (!child.closed) living.push_back(conn);
  }
  return living;
}

Host::Child& Host::child_at(drover_conn child) {
  return const_cast<Child&>(std::as_const(*this).child_at(child));
}
const Host::Child& Host::child_at(drover_conn child) const {
  const auto found = children_.find(child);
  if (found == children_.end()) throw std::logic_error("there never was such a stream");
  return found->second;
}

std::string Host::server_of(drover_conn child) const { return child_at(child).server; }
bool Host::child_peer_ended(drover_conn child) const { return child_at(child).peer_ended; }
bool Host::child_was_writable(drover_conn child) {
  return std::exchange(child_at(child).was_writable, false);
}
std::optional<drover_close_reason> Host::child_closed(drover_conn child) const {
  return child_at(child).closed;
}

std::size_t Host::child_write(drover_conn child, std::string_view bytes) {
  Child& target = child_at(child);
  if (target.closed || target.has_ended) throw std::logic_error("written after its end");
  const drover_slice slice{bytes.data(), bytes.size()};
  hook_has_run_ = true;
  const std::size_t taken = target.transport.write(instance_, target.argument, &slice, 1);
  if (taken > bytes.size()) throw std::logic_error("the module took more than there was");
  end_batch();
  return taken;
}

void Host::child_half_close(drover_conn child) {
  Child& target = child_at(child);
  target.has_ended = hook_has_run_ = true;
  if (target.transport.half_close != nullptr) {
    target.transport.half_close(instance_, target.argument);
  }
  end_batch();
}

std::string Host::child_read(drover_conn child) {
  Child& target = child_at(child);
  std::string bytes = std::exchange(target.inbox, {});
  if (bytes.empty() || target.transport.consumed == nullptr) return bytes;
  hook_has_run_ = true;
  target.transport.consumed(instance_, target.argument, bytes.size());
  end_batch();
  return bytes;
}

void Host::child_close(drover_conn child, drover_close_reason reason) {
  end_child(child, reason);
  end_batch();
}

void Host::end_child(drover_conn child, drover_close_reason reason) {
  Child& target = child_at(child);
  if (std::exchange(target.closed, target.closed.value_or(reason))) return;
  const bool is_in_order = target.peer_ended && target.has_ended && !target.broken;
  hook_has_run_ = true;
  target.transport.close(instance_, target.argument, reason, is_in_order ? 1 : 0);
}

void Host::end_children_of(drover_conn parent, drover_close_reason reason) {
  for (const drover_conn child : children()) {
    if (child_at(child).parent != parent) continue;
    child_at(child).broken = reason == DROVER_DRAINED ? reason : DROVER_RESET;
    end_child(child, *child_at(child).broken);
  }
}

void Host::settle_children() {
  for (const drover_conn child : children()) {
    if (const auto broken = child_at(child).broken) end_child(child, *broken);
  }
}

}  // namespace drover::testkit

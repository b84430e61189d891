// Input: every recv lands in the worker's one buffer, behind what this connection's module left
// unconsumed.
#include <cerrno>

#include "worker/connection_hooks.h"
#include "worker/proxy_protocol.h"

namespace drover {

void Connection::on_event(short what) {
  core().begin_batch();
  if (state_ == State::kConnecting) return on_connected_or_not();
  if ((what & EV_WRITE) != 0) transport_is_full_ = false;
  if ((what & EV_READ) != 0) {
    // Nothing is read while the module does not want it, nor after the peer's end of stream, when
    // a socket would say 0 for ever also if a reset has followed.
    if (!peer_ended_ && !holds_back()) {
      receive();
    } else if (transport().is_reset(peer_ended_)) {
      break_with(DROVER_RESET);
    }
  }
  settle();
}

void Connection::receive() {
  const std::size_t kept = leftover_ == nullptr ? 0 : leftover_->size();
  DROVER_CHECK(!core().lent().is_begun());
  char* const buffer = core().read_buffer();
  const ssize_t result = transport().receive({buffer + kept, ConnectionCore::kReadBuffer - kept});
  if (result < 0) {
    if (errno != EAGAIN && errno != EINTR) break_with(DROVER_RESET);
    return;
  }
  if (result == 0) return on_end_of_stream();

  const auto size_bytes = static_cast<std::size_t>(result);
  note_received(size_bytes);
  if (kept > 0) {
    leftover_->copy(buffer, kept);
    leftover_.reset();
  }
  on_bytes({buffer, kept + size_bytes});
}

void Connection::note_received(std::size_t size_bytes) {
  bytes_in_ += size_bytes;
  if (!is_child_) ConnectionCore::count(core().counters().bytes_in, size_bytes);
  if (output_ == nullptr && state_ == State::kServing) is_touched_ = true;
}

void Connection::on_bytes(std::string_view bytes) {
  if (state_ == State::kProxyHeader) bytes = read_proxy_header(bytes);
  if (state_ != State::kServing || !is_open_ || is_broken_ || bytes.empty()) return;
  has_first_byte_ = true;
  offer(bytes);
}

// Returns what follows the header once it is complete and the connection admitted.
std::string_view Connection::read_proxy_header(std::string_view bytes) {
  const ProxyHeader header = parse_proxy_header(bytes);
  switch (header.state) {
    case ProxyHeader::State::kNeedMore:
      keep(bytes);
      return {};
    case ProxyHeader::State::kMalformed:
      if (core().may_log()) {
        core().log().info("PROXY header refused server={} peer={}: {}", server_->settings.name,
                          peer_.to_string(), header.error);
      }
      refuse();
      return {};
    case ProxyHeader::State::kComplete:
      break;
  }
  if (header.has_source) peer_ = header.source;
  admit();
  return bytes.substr(header.length);
}

void Connection::offer(std::string_view bytes) {
  if (server_->module.on_data == nullptr) return;
  const bool is_outermost = core().lent().begin();
  const std::int64_t consumed =
      call(server_->module.on_data, drover_slice{bytes.data(), bytes.size()});
  send_gathered({});  // before the read buffer is used again
  keep_rest(bytes, consumed);
  if (is_outermost) give_lent();
}

void Connection::keep_rest(std::string_view bytes, std::int64_t consumed) {
  if (consumed < 0 || static_cast<std::size_t>(consumed) > bytes.size()) {
    if (core().may_log()) {
      core().log().warning("module failed server={} module={} peer={} answered={} of={}: closing",
                           server_->settings.name, server_->module.name, peer_.to_string(),
                           consumed, bytes.size());
    }
    return break_with(DROVER_MODULE_FAILED);
  }
  keep(bytes.substr(static_cast<std::size_t>(consumed)));
}

void Connection::keep(std::string_view rest) {
  if (rest.empty() || state_ == State::kClosing) return;
  if (rest.size() > ConnectionCore::kMaxLeftover) {
    if (core().may_log()) {
      core().log().info("input too long server={} peer={} unconsumed={}: closing",
                        server_->settings.name, peer_.to_string(), rest.size());
    }
    return break_with(DROVER_MODULE_FAILED);
  }
  leftover_ = std::make_unique<std::string>(rest);
}

void Connection::on_end_of_stream() {
  peer_ended_ = true;
  leftover_.reset();
  if (state_ == State::kProxyHeader) return refuse();
  if (state_ != State::kServing) return;
  if (server_->module.on_eof == nullptr) return close_for(DROVER_CLOSED_BY_PEER);
  is_touched_ = output_ == nullptr;
  call(server_->module.on_eof);
  send_gathered({});
}

void Connection::admit() { is_admitted() ? open() : break_with(DROVER_CLOSED_BY_MODULE); }

// A refusal is counted.
bool Connection::is_admitted() {
  SlotCounters& counters = core().counters();
  const Admission::Verdict verdict = server_->admission.admit(peer_, index_);
  if (verdict == Admission::Verdict::kDenied) ConnectionCore::count(counters.refused_access);
  if (verdict == Admission::Verdict::kAtLimit) ConnectionCore::count(counters.refused_limit);
  return verdict == Admission::Verdict::kAdmitted;
}

void Connection::open() {
  state_ = State::kServing;
  is_open_ = true;
  is_touched_ = true;
  opened_at_ = core().now();
  if (server_->module.on_open != nullptr) {
    call(server_->module.on_open);
    send_gathered({});
  }
  if (server_->is_draining) tell_drain();
}

void Connection::drain() {
  if (is_open_) tell_drain();
  settle();
}

void Connection::tell_drain() {
  if (drain_told_ || state_ != State::kServing || is_broken_) return;
  drain_told_ = true;
  if (server_->module.on_drain == nullptr) return;
  call(server_->module.on_drain);
  send_gathered({});
}

}  // namespace drover

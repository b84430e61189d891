// A worker's core with one server and a module made of lambdas, driven by hand over socket pairs
// and a clock that stands still until it is told.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/event.h"
#include "common/log.h"
#include "common/scoreboard.h"
#include "worker/connection.h"
#include "worker/connection_core.h"
#include "worker/module_host.h"
#include "worker/server.h"

namespace drover {

// The module: what a test does not set does nothing. `host` calls go through the real table.
struct ScriptedModule {
  const drover_host* host = &module_host();
  drover_context* context = nullptr;
  std::function<void(drover_conn)> open;
  std::function<std::int64_t(drover_conn, std::string_view)> data;
  std::function<void(drover_conn)> eof;
  std::function<void(drover_conn)> writable;
  std::function<void(drover_conn)> drain;

  std::function<void(drover_conn)> timer;
  std::function<void(std::uint64_t)> worker_timer;

  std::vector<std::pair<std::uint64_t, int>> not_connected;  // tag, error
  std::vector<drover_conn> opened;
  std::vector<drover_close_reason> closed;
  std::string received;

  void write(drover_conn conn, std::string_view bytes) const {
    host->write(context, conn, {bytes.data(), bytes.size()});
  }
};

// The C table in front of a ScriptedModule.
struct ScriptedHooks {
  static ScriptedModule& of(void* instance) { return *static_cast<ScriptedModule*>(instance); }
  static void on_open(void* instance, drover_conn conn, void*) {
    of(instance).opened.push_back(conn);
    if (of(instance).open) of(instance).open(conn);
  }
  static std::int64_t on_data(void* instance, drover_conn conn, void*, drover_slice slice) {
    const std::string_view bytes(static_cast<const char*>(slice.data), slice.size);
    of(instance).received += bytes;
    return of(instance).data ? of(instance).data(conn, bytes)
                             : static_cast<std::int64_t>(slice.size);
  }
  static void on_eof(void* instance, drover_conn conn, void*) {
    if (of(instance).eof) of(instance).eof(conn);
  }
  static void on_writable(void* instance, drover_conn conn, void*) {
    if (of(instance).writable) of(instance).writable(conn);
  }
  static void on_drain(void* instance, drover_conn conn, void*) {
    if (of(instance).drain) of(instance).drain(conn);
  }
  static void on_close(void* instance, drover_conn, void*, drover_close_reason reason) {
    of(instance).closed.push_back(reason);
  }
  static void on_timer(void* instance, drover_conn conn, void*) {
    if (of(instance).timer) of(instance).timer(conn);
  }
  static void on_worker_timer(void* instance, std::uint64_t tag) {
    if (of(instance).worker_timer) of(instance).worker_timer(tag);
  }
  static void on_connect_failed(void* instance, std::uint64_t tag, int error) {
    of(instance).not_connected.emplace_back(tag, error);
  }
  static ModuleTable table() {
    ModuleTable table{};
    table.size = sizeof table;
    table.abi = DROVER_ABI;
    table.name = "scripted";
    table.on_open = on_open;
    table.on_data = on_data;
    table.on_eof = on_eof;
    table.on_writable = on_writable;
    table.on_drain = on_drain;
    table.on_close = on_close;
    table.on_timer = on_timer;
    table.on_worker_timer = on_worker_timer;
    table.on_connect_failed = on_connect_failed;
    return table;
  }
};

class ConnectionTest : public testing::Test {
 protected:
  static constexpr std::size_t kCapacity = 128;

  ConnectionTest() {
    settings_.name = "web";
    settings_.listens.emplace_back();
  }
  ~ConnectionTest() override {
    if (core_) core_->end_all(DROVER_DRAINED);
  }

  // Builds the server from settings_ and hooks_; called by the first connect().
  void make_server() {
    core_.emplace(CoreOptions{.base = base_.get(),
                              .log = &log_,
                              .seat = &seat_,
                              .capacity = kCapacity,
                              .streams = streams_,
                              .clock = &clock},
                  nullptr);
    server_ = std::make_unique<Server>(*core_, settings_, hooks_,
                                       Admission(settings_, limits_.get(), ledger_.get()));
    server_->instance = &module_;
    module_.context = &server_->context;
  }

  void serve(UniqueFd accepted, const PeerAddress& peer) {
    core_->begin_batch();
    Connection::start(*server_, settings_.listens[0], std::move(accepted), peer);
    turn();
  }
  // A client's end of a connection that the worker has just accepted.
  UniqueFd connect(std::string_view peer = "") {
    if (!core_) make_server();
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    serve(UniqueFd(ends[1]), address_of(peer));
    return UniqueFd(ends[0]);
  }
  // The same over TCP, which can be reset.
  UniqueFd connect_tcp() {
    if (!core_) make_server();
    const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {}};
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(listener.get(), generic, size) + listen(listener.get(), 1), 0);
    getsockname(listener.get(), generic, &size);
    UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(client.get(), generic, size), 0);
    serve(UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK)), {});
    return client;
  }
  static void reset(UniqueFd& client) {
    const linger at_once{1, 0};
    setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client.reset();
  }

  // One turn of the loop: what is ready now, and the end of its batch.
  void turn() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }
  void turns(int count) {
    for (int i = 0; i < count; ++i) turn();
  }
  void pass(Millis time) {
    turn();  // a batch that a call from here began ends in its own time
    now_ += time;
    core_->begin_batch();
    core_->sweep();
    core_->timers().call_due();
    core_->lingering().call_due();
    turn();
  }

  static void send(const UniqueFd& fd, std::string_view bytes) {
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // All that can be read now.
  static std::string read_some(const UniqueFd& fd) {
    std::string all;
    char buffer[65536];
    for (ssize_t size = 0; (size = ::read(fd.get(), buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(size));
    }
    return all;
  }
  // True when the peer's end of stream, or a reset, has come and nothing is left before it.
  static bool is_ended(const UniqueFd& fd) {
    char byte = 0;
    const ssize_t size = ::recv(fd.get(), &byte, 1, MSG_PEEK);
    return size == 0 || (size < 0 && errno != EAGAIN);
  }

  void echo() {
    module_.data = [this](drover_conn conn, std::string_view bytes) {
      module_.write(conn, bytes);
      return static_cast<std::int64_t>(bytes.size());
    };
  }
  [[nodiscard]] std::size_t live() { return core_->table().size(); }
  Connection* find(drover_conn conn) { return core_->table().find(conn); }
  static std::uint64_t value(const std::atomic<std::uint64_t>& counter) { return counter.load(); }

  static PeerAddress address_of(std::string_view text) {
    if (text.empty()) return {};
    const auto address = Address::parse(text);
    EXPECT_TRUE(address.ok());
    return PeerAddress::from(address.value().get());
  }

  static Millis clock() { return now_; }
  static inline Millis now_{1'000'000};

  std::size_t streams_ = 0;
  EventBase base_ = make_event_base();
  Log log_{UniqueFd(), Log::Style::kPlain, LogLevel::kError};
  Seat seat_;
  ServerSettings settings_;
  ModuleTable hooks_ = ScriptedHooks::table();
  ScriptedModule module_;
  LimitTableMapping limits_ = make_limit_table();
  std::unique_ptr<ConnectionLedger> ledger_ = make_ledger(kCapacity).value();
  std::optional<ConnectionCore> core_;
  std::unique_ptr<Server> server_;
};

}  // namespace drover

// What the tests of accept strategies share: a generation without a master (scoreboard, settings,
// real listening sockets on loopback, pairs, doorbells), and workers that only accept: several in
// one process, or each in its own.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "worker/accept/strategy.h"

namespace drover::test {

inline UniqueFd listen_on_loopback(std::uint16_t port = 0) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in address{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  DROVER_CHECK(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  DROVER_CHECK(listen(fd.get(), 1024) == 0);
  return fd;
}

inline std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  DROVER_CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

// 0 or the errno of connect.
inline int try_connect(std::uint16_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return connect(fd.get(), generic, sizeof address) == 0 ? 0 : errno;
}

// Connected when it returns: the kernel has queued it at the listener.
inline UniqueFd connect_to(std::uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {}};
  DROVER_CHECK(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

// One generation: `slots` workers in seats 1.., the acceptor in seat 0, each with room for 1000
// connections.
class AcceptWorld {
 public:
  AcceptWorld(AcceptStrategy strategy, int slots) : slots_(slots) {
    settings_.servers.resize(1);
    settings_.servers[0].accept = strategy;
    for (auto& seat : board().seat_of_slot) seat = -1;
    for (int slot = 0; slot < slots; ++slot) {
      board().seat_of_slot[static_cast<std::size_t>(slot)] = slot + 1;
      seat(slot).capacity = 1000;
      doorbells_.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      int ends[2];
      DROVER_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) ==
                   0);
      pairs_.push_back({UniqueFd(ends[0]), UniqueFd(ends[1])});
    }
  }

  // Ids are 100, 101, ...; `port` 0: a new one.
  std::uint16_t add_listener(std::uint16_t member = 0, std::uint16_t active = 1,
                             std::uint16_t port = 0, std::uint16_t server = 0) {
    listeners_.push_back(listen_on_loopback(port));
    const auto id = static_cast<std::uint32_t>(100 + descriptions_.size());
    descriptions_.push_back({id, -1, server, 0, member, active});
    return port_of(listeners_.back().get());
  }

  // What one process is born with; its listening descriptors are its own.
  Heritage heritage(int slot) {
    Heritage heritage;
    heritage.slot = slot;
    heritage.slots = slots_;
    heritage.seat = slot + 1;
    heritage.settings = &settings_;
    heritage.scoreboard = scoreboard_.get();
    heritage.log = &log_;
    heritage.listeners = descriptions_;
    heritage.closed_servers = closed_servers;
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      heritage.listeners[i].fd = fcntl(listeners_[i].get(), F_DUPFD_CLOEXEC, 0);
    }
    for (const UniqueFd& doorbell : doorbells_) heritage.doorbells.push_back(doorbell.get());
    for (const Pair& pair : pairs_)
      heritage.passing.push_back({pair.send.get(), pair.receive.get()});
    return heritage;
  }

  void close_listeners() { listeners_.clear(); }
  Settings& settings() { return settings_; }
  Scoreboard& scoreboard() { return *scoreboard_; }
  Board& board() { return scoreboard_->board_of(0); }
  Seat& seat(int slot) { return scoreboard_->seats[static_cast<std::size_t>(slot + 1)]; }
  int send_end(int slot) const { return pairs_[static_cast<std::size_t>(slot)].send.get(); }
  int receive_end(int slot) const { return pairs_[static_cast<std::size_t>(slot)].receive.get(); }
  [[nodiscard]] int slots() const { return slots_; }
  // What has been logged.
  [[nodiscard]] std::string logged() const {
    std::string text(4096, '\0');
    const ssize_t size = pread(log_fd_, text.data(), text.size(), 0);
    return text.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size));
  }

  std::vector<std::uint32_t> closed_servers;

 private:
  struct Pair {
    UniqueFd send;
    UniqueFd receive;
  };
  int slots_;
  Settings settings_;
  ScoreboardMapping scoreboard_ = make_scoreboard().mapping;
  int log_fd_ = memfd_create("log", MFD_CLOEXEC);
  Log log_{UniqueFd(log_fd_), Log::Style::kPlain, LogLevel::kError};
  std::vector<UniqueFd> listeners_;
  std::vector<ListenerHeritage> descriptions_;
  std::vector<UniqueFd> doorbells_;
  std::vector<Pair> pairs_;
};

// A worker that accepts and holds.
class FakeWorker : public AcceptHost {
 public:
  FakeWorker(AcceptWorld& world, int slot)
      : world_(world), heritage_(world.heritage(slot)), strategy_(make_strategy(*this, 0)) {}

  event_base* base() override { return base_.get(); }
  const Heritage& heritage() const override { return heritage_; }
  bool has_room() const override { return live() < capacity(); }
  int budget() const override { return 16; }
  std::uint32_t live() const override { return static_cast<std::uint32_t>(connections.size()); }
  std::uint32_t capacity() const override { return heritage_.my_seat().capacity; }
  void on_accepted(Accepted connection) override {
    connections.push_back(std::move(connection));
    heritage_.my_seat().live = live();
    if (!has_room()) strategy_->pause();
  }
  void on_descriptors_exhausted(int error_number) override {
    exhausted_with = error_number;
    strategy_->pause();
  }
  void ring(int slot) override {
    rung.push_back(slot);
    ring_doorbell(heritage_.doorbells[static_cast<std::size_t>(slot)]);
  }

  // Handles what is ready now.
  void turn() { event_base_loop(base_.get(), EVLOOP_NONBLOCK); }
  // Closes what it holds.
  void forget() {
    connections.clear();
    heritage_.my_seat().live = 0;
  }
  Strategy& strategy() { return *strategy_; }
  [[nodiscard]] std::size_t held() const { return connections.size(); }
  [[nodiscard]] const SlotCounters& counters() const { return heritage_.my_seat().counters; }

  std::vector<Accepted> connections;
  std::vector<int> rung;
  int exhausted_with = 0;

 protected:
  AcceptWorld& world_;
  Heritage heritage_;
  EventBase base_ = make_event_base();
  std::unique_ptr<Strategy> strategy_;
};

// A worker in its own process: answers each connection with its slot and closes it, beats every 250
// ms.
class HerdWorker final : public FakeWorker {
 public:
  using FakeWorker::FakeWorker;

  // Writes a byte to `started_fd` once it accepts.
  [[noreturn]] void run(int started_fd) {
    heartbeat_.start_every(base(), Millis{250}, this);
    answer_.prepare(base(), this);
    doorbell_.start(base(), heritage_.doorbells[static_cast<std::size_t>(heritage_.slot)], EV_READ,
                    this);
    strategy_->resume();
    DROVER_CHECK(write(started_fd, "s", 1) == 1);
    event_base_dispatch(base());
    _exit(1);
  }

 private:
  void on_accepted(Accepted connection) override {
    connections.push_back(std::move(connection));
    answer_.activate();
  }
  // As in a worker, where what is written leaves at the end of the batch.
  void on_batch_end() {
    const char answer = static_cast<char>('0' + heritage_.slot);
    for (const Accepted& connection : connections) {
      DROVER_CHECK(write(connection.fd.get(), &answer, 1) == 1);
    }
    connections.clear();
  }
  void on_heartbeat() {
    const Millis now = monotonic_now();
    heritage_.my_seat().heartbeat_ms = now.count();
    strategy_->on_heartbeat(now);
    if (heritage_.board().any_steered_around()) strategy_->take_stranded();
  }
  void on_doorbell() {
    eventfd_t rings = 0;
    eventfd_read(heritage_.doorbells[static_cast<std::size_t>(heritage_.slot)], &rings);
    strategy_->on_doorbell();
    if (heritage_.board().any_steered_around()) strategy_->take_stranded();
  }

  Timer<&HerdWorker::on_heartbeat> heartbeat_;
  Timer<&HerdWorker::on_batch_end> answer_;
  Event<&HerdWorker::on_doorbell> doorbell_;
};

// All workers of a world as processes; killed when it goes.
class Herd {
 public:
  // Returns when all of them accept.
  explicit Herd(AcceptWorld& world) {
    int started[2];
    DROVER_CHECK(pipe2(started, O_CLOEXEC) == 0);
    const UniqueFd read_end(started[0]);
    const UniqueFd write_end(started[1]);
    for (int slot = 0; slot < world.slots(); ++slot) {
      const pid_t pid = fork();
      DROVER_CHECK(pid >= 0);
      if (pid == 0) HerdWorker(world, slot).run(write_end.get());
      pids_.push_back(pid);
    }
    char byte = 0;
    for (int slot = 0; slot < world.slots(); ++slot)
      DROVER_CHECK(read(read_end.get(), &byte, 1) == 1);
  }
  Herd(const Herd&) = delete;
  Herd& operator=(const Herd&) = delete;
  ~Herd() {
    for (const pid_t pid : pids_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  // Returns when it has stopped.
  void stop(int slot) {
    const pid_t pid = pids_[static_cast<std::size_t>(slot)];
    kill(pid, SIGSTOP);
    waitpid(pid, nullptr, WUNTRACED);
  }

 private:
  std::vector<pid_t> pids_;
};

// The slot that serves one new connection, -1: none in 5 s.
inline int ask(std::uint16_t port) {
  const UniqueFd fd = connect_to(port);
  char answer = 0;
  return read(fd.get(), &answer, 1) == 1 ? answer - '0' : -1;
}

}  // namespace drover::test

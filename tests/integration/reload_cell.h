// What the cells of the reload matrix share: the load that runs, what it was doing at the moment of
// the event, and what must hold when all is over.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "tests/integration/strategies.h"
#include "tests/support/failure.h"

namespace drover::test {

// [drover] lines that all cells have: long enough that no connection of the load is cut, and a
// short life for surplus reuseport sockets, so that their end comes under load.
inline std::string drover_lines(int workers) {
  return "workers = " + std::to_string(workers) +
         "\nworker_shutdown_timeout = 30s\nsteer_linger = 700ms\n";
}

// Two servers, {port} and {port2}, of one strategy.
inline std::string two_servers(const std::string& strategy) {
  return echo_server(strategy) + echo_server(strategy, "127.0.0.1:{port2}", "other");
}

inline LoadOptions reload_load(std::vector<Endpoint> targets) {
  return {.targets = std::move(targets),
          .concurrency = 150,
          .pinging = 60,
          .ping_pause = Millis{100},
          .connections_per_second = 500,
          .max_message = 8192};
}

// The processes that accept, stopped for as long as this lives: what comes meanwhile waits in the
// queues.
class Frozen {
 public:
  explicit Frozen(const Daemon& daemon) : pids_(worker_pids(daemon)) {
    if (const pid_t acceptor = daemon.acceptor_pid(); acceptor != 0) pids_.push_back(acceptor);
    for (const pid_t pid : pids_) stop(pid);
  }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;
  ~Frozen() {
    for (const pid_t pid : pids_) resume(pid);
  }

 private:
  std::vector<pid_t> pids_;
};

// Waits for a moment at which connections are in mid-message (and queued, where it can be had),
// prints it, and throws when there is none: a cell without load at the event shows nothing.
inline void wait_for_loaded_moment(const LoadGenerator& load, std::uint16_t port,
                                   int least_queued = 0) {
  QueueState queue;
  int mid_message = 0;
  const bool loaded = wait_until([&] {
    mid_message = load.snapshot_mid_message();
    if (mid_message == 0) return false;
    queue = queue_state(port);
    return queue.queued >= least_queued;
  });
  std::cout << "at the event: queued=" << queue.queued << " half-open=" << queue.half_open
            << " mid-message=" << mid_message << " open=" << load.open() << "\n";
  if (!loaded) fail("there was no load at the event");
}

inline void expect_reloaded(const CommandResult& reload, int generation) {
  EXPECT_EQ(reload.status, 0) << reload.both();
  EXPECT_TRUE(
      reload.output.starts_with("reloaded: generation " + std::to_string(generation) + "\n"))
      << reload.output;
  EXPECT_EQ(reload.errors, "");
}

inline void expect_refused(const CommandResult& reload, const std::string& why) {
  EXPECT_EQ(reload.status, 1) << reload.both();
  EXPECT_NE(reload.errors.find(why), std::string::npos) << "no \"" << why << "\" in\n"
                                                        << reload.both();
  EXPECT_NE(reload.errors.find("the running configuration goes on"), std::string::npos)
      << reload.both();
}

inline void expect_lossless(LoadGenerator& load) {
  const LoadStats stats = load.stop();
  EXPECT_EQ(stats.failures(), 0) << stats.to_string() << "\n" << text_of(load.failures());
}

// Every process of the generation, by its title.
inline bool is_gone(const Daemon& daemon, int generation) {
  const std::string end = " gen " + std::to_string(generation);
  for (const pid_t pid : daemon.processes()) {
    if (title_of(pid).ends_with(end)) return false;
  }
  return true;
}

inline bool wait_until_gone(const Daemon& daemon, int generation, Millis patience = kPatience) {
  return wait_until([&] { return is_gone(daemon, generation); }, patience);
}

}  // namespace drover::test

// The rows of the tests that show something for every accept strategy, and the daemon they look at.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/load_generator.h"
#include "tests/support/net_tables.h"
#include "tests/support/proc.h"

namespace drover::test {

inline constexpr std::array kStrategies{"shared", "exclusive", "mutex", "acceptor", "reuseport"};

inline std::string strategy_name(const ::testing::TestParamInfo<const char*>& row) {
  return row.param;
}

inline std::vector<pid_t> worker_pids(const Daemon& daemon) {
  std::vector<pid_t> pids;
  for (const WorkerProcess& worker : daemon.workers()) pids.push_back(worker.pid);
  return pids;
}

inline std::string answer(Daemon& daemon, int port = 1) {
  return Client(Endpoint::v4(daemon.port(port))).exchange("hello");
}

// Steady load that two cores carry beside a daemon under test.
inline LoadOptions moderate_load(Daemon& daemon) {
  return {.targets = {Endpoint::v4(daemon.port())},
          .concurrency = 40,
          .pinging = 20,
          .connections_per_second = 400,
          .max_message = 4096};
}

inline std::string text_of(const std::vector<LoadFailure>& failures) {
  std::string text;
  for (const LoadFailure& failure : failures) text += failure.to_string() + "\n";
  return text;
}

}  // namespace drover::test

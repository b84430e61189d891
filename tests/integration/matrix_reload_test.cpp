// Reloads under checked load, for every strategy: whatever changes, and whatever goes wrong on the
// way, no connection is refused, reset, cut short or kept waiting.
#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include "tests/integration/reload_cell.h"

namespace drover::test {
namespace {

constexpr int kQueuedWhileFrozen = 10;

// --- more, fewer and as many workers ---

struct Resize {
  const char* name;
  int before;
  int after;
  bool frozen;  // the old generation is stopped over the event, so its queues hold connections
};

void PrintTo(const Resize& row, std::ostream* out) { *out << row.name; }

class ResizeTest : public ::testing::TestWithParam<std::tuple<const char*, Resize>> {
 protected:
  [[nodiscard]] static std::string strategy() { return std::get<0>(GetParam()); }
  [[nodiscard]] static Resize row() { return std::get<1>(GetParam()); }
  [[nodiscard]] static std::string with_workers(int workers) {
    return config(drover_lines(workers), two_servers(strategy()));
  }
  // Surplus reuseport sockets are closed after steer_linger.
  [[nodiscard]] static int final_listeners() { return strategy() == "reuseport" ? row().after : 1; }
};

TEST_P(ResizeTest, LosesNothing) {
  Daemon daemon({.config = with_workers(row().before)});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port(1)), Endpoint::v4(daemon.port(2))}));
  ASSERT_TRUE(load.wait_for_completed(50));

  std::optional<Frozen> frozen;
  if (row().frozen) frozen.emplace(daemon);
  wait_for_loaded_moment(load, daemon.port(), row().frozen ? kQueuedWhileFrozen : 0);
  const CommandResult reload = daemon.reload(with_workers(row().after));
  frozen.reset();

  expect_reloaded(reload, 2);
  EXPECT_EQ(daemon.workers_of(2).size(), static_cast<size_t>(row().after));
  EXPECT_FALSE(daemon.workers_of(1).empty()) << "nobody serves the long-lived connections";
  EXPECT_TRUE(load.wait_for_completed(200));
  EXPECT_TRUE(
      wait_until([&] { return queue_state(daemon.port()).listeners == final_listeners(); }));
  EXPECT_TRUE(load.wait_for_completed(50));
  expect_lossless(load);
  EXPECT_TRUE(wait_until_gone(daemon, 1));
  EXPECT_EQ(daemon.status().totals.drained_cut, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ResizeTest,
                         ::testing::Combine(::testing::ValuesIn(kStrategies),
                                            ::testing::Values(Resize{"same", 2, 2, false},
                                                              Resize{"more", 2, 5, false},
                                                              Resize{"fewer", 5, 2, false},
                                                              Resize{"fewer_frozen", 5, 2, true})),
                         [](const auto& row) {
                           return std::string(std::get<0>(row.param)) + "_" +
                                  std::get<1>(row.param).name;
                         });

// --- refused reloads ---

struct Refusal {
  const char* name;
  std::string drover;   // more lines in [drover] of the new configuration
  std::string servers;  // more sections
  std::string faults;   // from the event on
  std::string why;
};

std::string test_module(const char* name) { return built("test-modules/") + name + ".so"; }

std::string third_server(const char* protocol) {
  return std::string("\n[server third]\nlisten = 127.0.0.1:{port3}\nprotocol = ") + protocol + "\n";
}

std::vector<Refusal> refusals() {
  return {
      {"broken config", "", "\n[server third]\nlisten = nonsense\n", "",
       "[server third] protocol: is missing"},
      {"missing module", "load = {dir}/none.so\n", "", "", "/none.so: No such file"},
      {"workers that die", "load = " + test_module("dying") + "\n", third_server("dying"), "",
       "was killed by signal 6 (SIGABRT)"},
      {"a module that cannot start", "load = " + test_module("broken") + "\n",
       third_server("broken"), "", "broken"},
      {"workers that are never ready", "ready_timeout = 700ms\n", third_server("echo"),
       "ready:timeout", "was not ready within ready_timeout (700 ms)"},
      {"a port that is taken", "",
       "\n[server third]\nlisten = 127.0.0.1:{port4}\nprotocol = echo\n", "",
       "bind: address already in use by "},
      {"a listen that fails", "", third_server("echo"), "listen:1",
       "listen: Address already in use"},
      {"no fork for the validator", "", third_server("echo"), "fork:1", "fork: "},
      {"no fork for the second worker", "", third_server("echo"), "fork:2+1", "fork: "},
  };
}

class RefusalTest : public ::testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] static std::string text_with(const std::string& drover,
                                             const std::string& servers) {
    return config(drover_lines(3) + drover, two_servers(GetParam()) + servers);
  }
  void set_faults(const std::string& rules) { write_file(faults_.file("rules"), rules); }

  TempDir faults_;
  Daemon daemon_{{.config = config(drover_lines(2), two_servers(GetParam())),
                  .faulty = true,
                  .environment = {{"DROVER_FAULT", "@" + faults_.file("rules")}}}};
};

TEST_P(RefusalTest, LosesNothingAndTheOldGenerationGoesOn) {
  LoadGenerator load(reload_load({Endpoint::v4(daemon_.port(1)), Endpoint::v4(daemon_.port(2))}));
  ASSERT_TRUE(load.wait_for_completed(50));
  const std::vector<pid_t> processes = daemon_.processes();
  const UniqueFd taken = make_socket(AF_INET);
  const Endpoint fourth = Endpoint::v4(daemon_.port(4));
  ASSERT_EQ(::bind(taken.get(), fourth.get(), fourth.size), 0);
  ASSERT_EQ(::listen(taken.get(), 1), 0);

  for (const Refusal& row : refusals()) {
    SCOPED_TRACE(row.name);
    std::cout << row.name << ", ";
    set_faults(row.faults);
    wait_for_loaded_moment(load, daemon_.port());
    expect_refused(daemon_.reload(text_with(row.drover, row.servers)), row.why);
    EXPECT_TRUE(daemon_.log_contains(row.why));
    EXPECT_TRUE(load.wait_for_completed(50));
    EXPECT_TRUE(wait_until([&] { return daemon_.processes() == processes; }))
        << "the old generation alone is to be there";
  }

  expect_lossless(load);
  set_faults("");
  EXPECT_EQ(daemon_.reload(text_with("", third_server("echo"))).status, 0);
  for (const int port : {1, 2, 3}) EXPECT_EQ(answer(daemon_, port), "hello");
}

INSTANTIATE_TEST_SUITE_P(All, RefusalTest, ::testing::ValuesIn(kStrategies), strategy_name);

// --- other servers ---

class OtherServerTest : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr int kHeld = 20;
  static constexpr int kQueued = 500;  // more than three workers take in one turn of their loops
  [[nodiscard]] static std::string with_servers(const std::string& servers) {
    return config(drover_lines(3), servers);
  }
  [[nodiscard]] std::vector<Client> connect_to_other(int count) {
    std::vector<Client> clients;
    while (static_cast<int>(clients.size()) < count)
      clients.emplace_back(Endpoint::v4(daemon_.port(2)));
    return clients;
  }
  void reload_and_look(const std::string& text);

  Daemon daemon_{{.config = with_servers(two_servers(GetParam()))}};
  LoadGenerator load_{reload_load({Endpoint::v4(daemon_.port())})};
};

void OtherServerTest::reload_and_look(const std::string& text) {
  ASSERT_TRUE(load_.wait_for_completed(50));
  std::vector<Client> held = connect_to_other(kHeld);
  for (Client& client : held) EXPECT_EQ(client.exchange("old"), "old");
  std::vector<Client> queued;
  {
    const Frozen frozen(daemon_);
    queued = connect_to_other(kQueued);
    EXPECT_EQ(queue_state(daemon_.port(2)).queued, kQueued);
    wait_for_loaded_moment(load_, daemon_.port(), kQueuedWhileFrozen);
    expect_reloaded(daemon_.reload(text), 2);
  }

  for (Client& client : held) EXPECT_EQ(client.exchange("still"), "still");
  for (Client& client : queued) EXPECT_EQ(client.exchange("queued"), "queued");
  EXPECT_TRUE(wait_until([&] { return queue_state(daemon_.port(2)).listeners == 0; }));
  EXPECT_FALSE(Client::try_connect(Endpoint::v4(daemon_.port(2))));
  EXPECT_TRUE(load_.wait_for_completed(100));
  held.clear();
  queued.clear();
  expect_lossless(load_);
  EXPECT_TRUE(wait_until_gone(daemon_, 1));
}

TEST_P(OtherServerTest, ThatMovesToAnotherPortLosesNothing) {
  reload_and_look(with_servers(echo_server(GetParam()) +
                               echo_server(GetParam(), "127.0.0.1:{port3}", "other")));
  EXPECT_EQ(answer(daemon_, 3), "hello");
}

TEST_P(OtherServerTest, ThatIsRemovedLosesNothing) {
  reload_and_look(with_servers(echo_server(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(All, OtherServerTest, ::testing::ValuesIn(kStrategies), strategy_name);

// --- from every strategy to every other ---

// In steps of 1 to 4 round the five strategies each ordered pair comes once.
class StrategyChangeTest : public ::testing::TestWithParam<int> {};

TEST_P(StrategyChangeTest, LosesNothing) {
  constexpr std::array kWorkers{2, 4, 3};
  const auto text = [&](size_t strategy, size_t turn) {
    const std::string both = "127.0.0.1:{port}\nlisten = [::1]:{port}";
    return config(drover_lines(kWorkers[turn % kWorkers.size()]) + "max_draining = 8\n",
                  echo_server(kStrategies[strategy], both));
  };
  Daemon daemon({.config = text(0, 0)});
  LoadGenerator load(reload_load({Endpoint::v4(daemon.port()), Endpoint::v6(daemon.port())}));
  ASSERT_TRUE(load.wait_for_completed(50));

  size_t strategy = 0;
  for (size_t turn = 1; turn <= kStrategies.size(); ++turn) {
    const size_t next = (strategy + static_cast<size_t>(GetParam())) % kStrategies.size();
    std::cout << kStrategies[strategy] << " to " << kStrategies[next] << ", ";
    strategy = next;
    wait_for_loaded_moment(load, daemon.port());
    expect_reloaded(daemon.reload(text(strategy, turn)), static_cast<int>(turn) + 1);
    EXPECT_EQ(daemon.status().servers.at(0).accept, kStrategies[strategy]);
    EXPECT_TRUE(load.wait_for_completed(150));
  }

  expect_lossless(load);
  for (int generation = 1; generation <= static_cast<int>(kStrategies.size()); ++generation) {
    EXPECT_TRUE(wait_until_gone(daemon, generation)) << generation;
  }
  EXPECT_EQ(daemon.status().totals.drained_cut, 0);
}

INSTANTIATE_TEST_SUITE_P(Step, StrategyChangeTest, ::testing::Values(1, 2, 3, 4),
                         [](const auto& row) { return "of_" + std::to_string(row.param); });

}  // namespace
}  // namespace drover::test

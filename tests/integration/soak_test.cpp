// Everything that may happen to a daemon, at random, under checked load: reloads, other strategies,
// other numbers of workers, upgrades, processes killed and stopped. Connections of processes that
// were not hit never fail, new connections never fail, what a zone counts goes on, the helper that
// keeps it on disk is there, and nothing grows.
//
// DROVER_SOAK_SECONDS (180) is how long, DROVER_SOAK_SEED which schedule: the one that is printed
// runs the same again.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/integration/counter_daemon.h"
#include "tests/integration/strategies.h"
#include "tests/support/failure.h"

namespace drover::test {
namespace {

constexpr int kServers = 2;
// What drains beyond this is cut: no connection lives for as long as so many events take.
constexpr std::int64_t kMaxDraining = 16;
constexpr Millis kFrozenFor{600};   // longer than a heartbeat, shorter than hang_timeout
constexpr int kUnixStrategies = 4;  // the first of kStrategies; reuseport is not for unix sockets
// Of one process, at any time: far above what is needed, far below what a leak comes to.
constexpr int kMostDescriptors = 400;
constexpr std::int64_t kMostMemory = 64 << 20;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

class Soak {
 public:
  explicit Soak(std::uint64_t seed)
      : random_(seed), daemon_({.config = next_config(), .daemonize = true}) {
    LoadOptions options{.targets = {},
                        .concurrency = 60,
                        .pinging = 20,
                        .ping_pause = Millis{100},
                        .pings = 30,
                        .connections_per_second = 250,
                        .max_message = 8192,
                        .seed = seed};
    for (int i = 1; i <= kServers; ++i) options.targets.push_back(Endpoint::v4(daemon_.port(i)));
    load_ = std::make_unique<LoadGenerator>(options);
  }

  // One event after another until the time is up.
  void run(Millis duration);
  void expect_all_well();

 private:
  using Event = void (Soak::*)();
  struct Row {
    const char* name;
    Event event;
  };

  void reload();
  void upgrade();
  void interrupted_upgrade();
  void kill_worker();
  void kill_acceptor();
  void kill_master();
  void kill_helper();
  void reopen_logs();
  void hang_worker();
  void freeze_worker();
  void freeze_acceptor();
  void freeze_master();

  [[nodiscard]] std::string next_config();
  [[nodiscard]] int below(int end) {
    return static_cast<int>(random_() % static_cast<unsigned>(end));
  }
  void kill_and_excuse(pid_t pid);
  void freeze(pid_t pid);
  void have_a_master();
  [[nodiscard]] pid_t process(const char* title) const;
  void look_at_growth();
  void count();

  std::minstd_rand random_;
  Daemon daemon_;
  std::unique_ptr<LoadGenerator> load_;
  std::set<std::string> excused_;
  std::map<std::string, int> done_;
  std::size_t most_processes_ = 0;
  std::size_t most_generations_ = 0;
  int most_descriptors_ = 0;
  std::int64_t most_memory_ = 0;
  std::uint64_t counted_ = 0;
};

std::string Soak::next_config() {
  std::string servers;
  for (int i = 1; i <= kServers; ++i) {
    const std::string port = i == 1 ? "{port}" : "{port" + std::to_string(i) + "}";
    servers += echo_server(kStrategies[static_cast<std::size_t>(below(kStrategies.size()))],
                           "127.0.0.1:" + port, "echo" + std::to_string(i));
  }
  const std::string counter =
      std::string(
          "\n[server counter]\nlisten = unix:{dir}/counter.sock\nprotocol = counter\naccept = ") +
      kStrategies[static_cast<std::size_t>(below(kUnixStrategies))] +
      "\ncounter.file = {dir}/count\n" + std::string(kZone);
  return config("workers = " + std::to_string(1 + below(4)) +
                    "\nworker_shutdown_timeout = 10h\nsteer_linger = 700ms\nhang_timeout = 4s\n"
                    "max_draining = 16\n"
                    "error_log = {dir}/stderr.log\nload = " +
                    built("test-modules/counter.so"),
                servers + counter);
}

pid_t Soak::process(const char* title) const {
  for (const pid_t pid : daemon_.processes()) {
    if (title_of(pid).starts_with(title)) return pid;
  }
  return 0;
}

void Soak::reload() {
  const CommandResult result = daemon_.reload(next_config());
  EXPECT_EQ(result.status, 0) << result.both();
}

void Soak::upgrade() {
  daemon_.rewrite_config(next_config());
  const CommandResult result = daemon_.run_command({"-s", "upgrade"});
  EXPECT_EQ(result.status, 0) << result.both();
}

// One of the two masters is killed at some moment of it.
void Soak::interrupted_upgrade() {
  const bool kills_new = below(2) == 0;
  const Millis after{below(60)};
  daemon_.signal_master(SIGUSR2);
  std::this_thread::sleep_for(after);
  const pid_t former = process("drover: master");
  const pid_t coming = process("drover: new master");
  if (const pid_t victim = kills_new ? coming : former; victim != 0) kill_now(victim);
  have_a_master();
}

// What a process has accepted goes with it; it is stopped first, so that this is exact.
void Soak::kill_and_excuse(pid_t pid) {
  if (pid == 0) return;
  stop(pid);
  for (int i = 1; i <= kServers; ++i) excused_.merge(clients_of(pid, daemon_.port(i)));
  kill_now(pid);
}

void Soak::kill_worker() {
  const std::vector<WorkerProcess> workers = daemon_.workers();
  if (workers.empty()) return;
  kill_and_excuse(workers[static_cast<std::size_t>(below(static_cast<int>(workers.size())))].pid);
}
void Soak::kill_acceptor() { kill_and_excuse(daemon_.acceptor_pid()); }

void Soak::kill_master() {
  if (const pid_t master = daemon_.master_pid(); master != 0) kill_now(master);
  std::this_thread::sleep_for(Millis{below(400)});
  daemon_.rewrite_config(next_config());
  have_a_master();
}

void Soak::kill_helper() {
  const std::vector<pid_t> helpers = helper_pids(daemon_);
  if (!helpers.empty()) kill_now(helpers.front());
}

void Soak::reopen_logs() {
  const CommandResult result = daemon_.run_command({"-s", "reopen"});
  EXPECT_EQ(result.status, 0) << result.both();
}

// The watchdog ends it, and its connections with it.
void Soak::hang_worker() {
  const pid_t pid = daemon_.worker_pid(0);
  if (pid == 0) return;
  stop(pid);
  for (int i = 1; i <= kServers; ++i) excused_.merge(clients_of(pid, daemon_.port(i)));
  EXPECT_TRUE(wait_until([&] {
    const std::vector<pid_t> all = daemon_.processes();
    return std::ranges::find(all, pid) == all.end();
  })) << "it hangs and lives";
}

// A master serves, or one is started. One that has just been exec'ed has no title yet.
void Soak::have_a_master() {
  const auto is_one = [](pid_t pid) {
    const std::string title = title_of(pid);
    return title.starts_with("drover: master") || title.starts_with("drover: new master") ||
           title.find("/drover ") != std::string::npos;
  };
  const bool is_settled = wait_until([&] {
    if (std::ranges::none_of(daemon_.processes(), is_one)) return true;
    const auto now = daemon_.try_status();
    return now && now->serving() != nullptr;
  });
  EXPECT_TRUE(is_settled) << "neither a master that serves nor none";
  if (std::ranges::none_of(daemon_.processes(), is_one)) daemon_.start_again();
}

void Soak::freeze(pid_t pid) {
  if (pid == 0) return;
  stop(pid);
  std::this_thread::sleep_for(kFrozenFor);
  resume(pid);
}
void Soak::freeze_worker() { freeze(daemon_.worker_pid(0)); }
void Soak::freeze_acceptor() { freeze(daemon_.acceptor_pid()); }
void Soak::freeze_master() { freeze(daemon_.master_pid()); }

void Soak::look_at_growth() {
  const std::vector<pid_t> all = daemon_.processes();
  most_processes_ = std::max(most_processes_, all.size());
  const auto now = daemon_.try_status();
  if (!now) return;
  for (const pid_t pid : all) {
    most_descriptors_ = std::max(most_descriptors_, fd_count(pid));
    most_memory_ = std::max(most_memory_, rss_bytes(pid));
  }
  EXPECT_LE(most_descriptors_, kMostDescriptors);
  EXPECT_LE(most_memory_, kMostMemory);
  most_generations_ = std::max(most_generations_, now->generations.size());
  EXPECT_LE(now->generations.size(), 2U + kMaxDraining);
}

// The zone has what was counted in it before, whoever serves now.
void Soak::count() {
  Client client(Endpoint::unix_path(daemon_.file("counter.sock")));
  client.send_all("quietly\n");
  const std::uint64_t value = std::stoull(client.receive_some());
  EXPECT_EQ(value, counted_ + 1);
  counted_ = value;
}

void Soak::run(Millis duration) {
  static constexpr Row kRows[] = {
      {"reload", &Soak::reload},
      {"upgrade", &Soak::upgrade},
      {"interrupted upgrade", &Soak::interrupted_upgrade},
      {"worker killed", &Soak::kill_worker},
      {"acceptor killed", &Soak::kill_acceptor},
      {"master killed", &Soak::kill_master},
      {"helper killed", &Soak::kill_helper},
      {"logs reopened", &Soak::reopen_logs},
      {"worker hung", &Soak::hang_worker},
      {"worker stopped", &Soak::freeze_worker},
      {"acceptor stopped", &Soak::freeze_acceptor},
      {"master stopped", &Soak::freeze_master},
  };
  const auto start = Clock::now();
  while (since(start) < duration && !::testing::Test::HasFailure()) {
    const Row& row = kRows[static_cast<std::size_t>(below(std::size(kRows)))];
    (this->*row.event)();
    ++done_[row.name];
    look_at_growth();
    count();
    EXPECT_TRUE(load_->wait_for_completed(20)) << "after: " << row.name;
    EXPECT_EQ(text_of(load_->failures_beside(excused_)), "") << "after: " << row.name;
  }
}

void Soak::expect_all_well() {
  const LoadStats stats = load_->stop();
  EXPECT_EQ(text_of(load_->failures_beside(excused_)), "");
  EXPECT_TRUE(
      daemon_.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));
  const DaemonStatus last = daemon_.status();
  const pid_t master = daemon_.master_pid();
  const std::size_t serving = last.serving()->workers.size() + 2;  // with the helper
  EXPECT_TRUE(wait_until([&] {
    return daemon_.processes().size() == serving + (daemon_.acceptor_pid() != 0 ? 1 : 0);
  })) << "somebody has not left";
  EXPECT_TRUE(wait_until([&] {
    return read_file(daemon_.file("count")) == std::to_string(counted_) + "\n";
  })) << "the helper keeps what is counted";
  for (const pid_t child : children_of(master)) EXPECT_NE(state_of(child), 'Z') << child;
  EXPECT_LE(fd_count(master), 60);
  EXPECT_LE(rss_bytes(master), 64 << 20);
  for (const auto& [name, count] : done_) std::cout << name << ": " << count << "\n";
  std::cout << "most processes: " << most_processes_ << ", most generations: " << most_generations_
            << ", most descriptors of a process: " << most_descriptors_
            << ", most memory: " << (most_memory_ >> 10) << " KiB, counted: " << counted_
            << ", excused: " << excused_.size() << "\nload: " << stats.to_string() << "\n";
}

TEST(Soak, LosesNothingThatCouldBeKept) {
  const std::uint64_t seed = number_from_environment(
      "DROVER_SOAK_SEED", static_cast<std::uint64_t>(time(nullptr)) % 1'000'000);
  const std::uint64_t seconds = number_from_environment("DROVER_SOAK_SECONDS", 180);
  std::cout << "DROVER_SOAK_SEED=" << seed << " DROVER_SOAK_SECONDS=" << seconds << std::endl;
  Soak soak(seed);

  soak.run(std::chrono::seconds(seconds));

  soak.expect_all_well();
}

}  // namespace
}  // namespace drover::test

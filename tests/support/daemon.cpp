#include "tests/support/daemon.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "tests/support/endpoint.h"
#include "tests/support/failure.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

constexpr int kMostPorts = 9;
constexpr Millis kStartPatience{20'000};

bool test_goes_wrong() { return std::uncaught_exceptions() > 0 || ::testing::Test::HasFailure(); }

}  // namespace

std::string built(std::string_view name) { return std::string(DROVER_BUILD_DIR "/").append(name); }

std::string config(std::string_view drover, std::string_view servers) {
  std::string text =
      "[drover]\ncontrol = {dir}/control.sock\npid = {dir}/drover.pid\nload = echo\n";
  return text.append(drover).append("\n").append(servers);
}

std::string echo_server(std::string_view strategy, std::string_view listen, std::string_view name) {
  std::string text = "\n[server ";
  text.append(name).append("]\nlisten = ").append(listen);
  return text.append("\naccept = ").append(strategy).append("\nprotocol = echo\n");
}

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {
  if (!options_.wrapper.empty()) std::filesystem::permissions(dir(), std::filesystem::perms::all);
  rewrite_config(options_.config);
  if (!options_.binary.empty()) {
    options_.binary = expand(options_.binary);
    std::filesystem::copy_file(built(options_.faulty ? "drover-faulty" : "drover"),
                               options_.binary);
  }
  start();
  if (options_.wait_ready) wait_until_it_serves();
}

void Daemon::start() {
  std::vector<std::string> arguments = options_.arguments;
  if (!options_.daemonize) arguments.emplace_back("-F");
  groups_.push_back(std::make_unique<ProcessGroup>(command(arguments, options_.wrapper),
                                                   options_.environment, file("stderr.log")));
}

bool Daemon::try_to_start_again() {
  start();
  static_cast<void>(wait_until(
      [this] {
        const auto exit_status = program_status();
        return exit_status.has_value() || (try_status() && try_status()->serving() != nullptr);
      },
      kStartPatience, Millis{20}));
  return !program_status() || *program_status() == 0;
}

void Daemon::start_again() {
  start();
  wait_until_it_serves();
}

Daemon::~Daemon() {
  if (test_goes_wrong())
    std::cerr << "--- log of the daemon in " << dir() << "\n" << log() << "---\n";
  for (const auto& group : groups_) group->kill_all();
}

void Daemon::wait_until_it_serves() {
  const bool ended = wait_until(
      [this] {
        const auto exit_status = program_status();
        if (exit_status && (!options_.daemonize || *exit_status != 0)) return true;
        const auto now = try_status();
        return now && now->serving() != nullptr;
      },
      kStartPatience, Millis{20});
  const auto now = try_status();
  if (ended && now && now->serving() != nullptr) return;
  const auto exit_status = program_status();
  const std::string what =
      exit_status ? "exit status " + std::to_string(*exit_status) : "no answer to -s status";
  const std::string said = log();
  for (const auto& group : groups_) group->kill_all();
  fail("the daemon does not serve: " + what + "\n" + said);
}

std::uint16_t Daemon::port(int number) {
  const auto known = ports_.find(number);
  if (known != ports_.end()) return known->second;
  return ports_[number] = free_port();
}

std::string Daemon::expand(std::string text) {
  text = replace_all(std::move(text), "{dir}", dir());
  for (int number = 1; number <= kMostPorts; ++number) {
    const std::string name = number == 1 ? "{port}" : "{port" + std::to_string(number) + "}";
    if (text.find(name) != std::string::npos)
      text = replace_all(std::move(text), name, std::to_string(port(number)));
  }
  return text;
}

void Daemon::rewrite_config(std::string_view text) {
  write_file(config_path(), expand(std::string(text)));
}

std::vector<std::string> Daemon::command(const std::vector<std::string>& arguments,
                                         const std::vector<std::string>& wrapper) const {
  std::vector<std::string> argv = wrapper;
  const std::string program = built(options_.faulty ? "drover-faulty" : "drover");
  argv.push_back(options_.binary.empty() ? program : options_.binary);
  argv.insert(argv.end(), {"-c", config_path(), "-p", dir()});
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

CommandResult Daemon::run_command(const std::vector<std::string>& arguments,
                                  const std::vector<std::string>& wrapper) {
  return test::run_command(command(arguments, wrapper));
}

CommandResult Daemon::reload(std::string_view text) {
  rewrite_config(text);
  return run_command({"-s", "reload"});
}

std::optional<DaemonStatus> Daemon::try_status() {
  const CommandResult result = run_command({"-s", "status", "--json"});
  if (result.status != 0) return std::nullopt;
  return parse_status(result.output);
}

DaemonStatus Daemon::status() {
  const CommandResult result = run_command({"-s", "status", "--json"});
  std::string why = "exit status " + std::to_string(result.status);
  auto parsed = result.status == 0 ? parse_status(result.output, &why) : std::nullopt;
  if (!parsed) fail("-s status --json: " + why + "\n" + result.both());
  return std::move(*parsed);
}

std::vector<pid_t> Daemon::processes() const {
  std::vector<pid_t> all;
  for (const auto& group : groups_) {
    const std::vector<pid_t> members = group->members();
    all.insert(all.end(), members.begin(), members.end());
  }
  return all;
}

std::vector<WorkerProcess> Daemon::workers() const {
  std::vector<WorkerProcess> found;
  for (const pid_t pid : processes()) {
    WorkerProcess worker{pid, 0, 0};
    if (std::sscanf(title_of(pid).c_str(), "drover: worker %d gen %d", &worker.slot,
                    &worker.generation) == 2) {
      found.push_back(worker);
    }
  }
  std::sort(found.begin(), found.end(), [](const WorkerProcess& a, const WorkerProcess& b) {
    return std::pair(a.generation, a.slot) < std::pair(b.generation, b.slot);
  });
  return found;
}

std::vector<WorkerProcess> Daemon::workers_of(int generation) const {
  std::vector<WorkerProcess> found = workers();
  found.erase(
      std::remove_if(found.begin(), found.end(),
                     [generation](const WorkerProcess& w) { return w.generation != generation; }),
      found.end());
  return found;
}

pid_t Daemon::worker_pid(int slot) const {
  pid_t pid = 0;
  for (const WorkerProcess& worker : workers()) {
    if (worker.slot == slot) pid = worker.pid;  // sorted: the newest generation comes last
  }
  return pid;
}

pid_t Daemon::acceptor_pid() const {
  pid_t newest = 0;
  int newest_generation = -1;
  for (const pid_t pid : processes()) {
    int generation = 0;
    if (std::sscanf(title_of(pid).c_str(), "drover: acceptor gen %d", &generation) != 1) continue;
    if (generation > newest_generation) newest = pid;
    newest_generation = std::max(newest_generation, generation);
  }
  return newest;
}

// From when the former one says so, the new one is the master, before it has changed its title.
pid_t Daemon::master_pid() const {
  pid_t coming = 0;
  bool has_former = false;
  for (const pid_t pid : processes()) {
    const std::string title = title_of(pid);
    if (title.starts_with("drover: master")) return pid;
    if (title.starts_with("drover: new master")) coming = pid;
    has_former = has_former || title.starts_with("drover: former master");
  }
  return has_former ? coming : 0;
}

pid_t Daemon::wait_for_paused(Millis patience) const {
  pid_t paused = 0;
  const bool found = wait_until(
      [&] {
        for (const pid_t pid : processes()) {
          if (state_of(pid) == 'T') paused = pid;
        }
        return paused != 0;
      },
      patience);
  if (!found) fail("no process has stopped at a pause point");
  return paused;
}

void Daemon::signal_master(int signal) const {
  const pid_t pid = master_pid();
  if (pid == 0) fail("no master to send a signal to");
  ::kill(pid, signal);
}

std::optional<int> Daemon::stop(int signal, Millis patience) {
  signal_master(signal);
  if (!wait_gone(patience)) return std::nullopt;
  static_cast<void>(wait_until([this] { return program_status().has_value(); }));
  return program_status();
}

bool Daemon::wait_gone(Millis patience) const {
  return wait_until([this] { return processes().empty(); }, patience);
}

std::string Daemon::log() const { return read_file(file("stderr.log")); }

bool Daemon::log_contains(std::string_view text) const {
  return log().find(text) != std::string::npos;
}

bool Daemon::wait_for_log(std::string_view text, Millis patience) const {
  return wait_until([&] { return log_contains(text); }, patience);
}

}  // namespace drover::test

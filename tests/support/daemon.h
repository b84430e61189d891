// The real binary, running a configuration in a folder of its own, as an object: start it, ask it,
// send it signals, look at its processes. Whatever a test does to it, its destructor leaves no
// process behind, and the log of a test that failed is shown.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/command.h"
#include "tests/support/files.h"
#include "tests/support/process_group.h"
#include "tests/support/status.h"
#include "tests/support/wait.h"

namespace drover::test {

struct DaemonOptions {
  // The configuration's text. {port}, {port2} .. {port9} become free ports (the same ones for the
  // Daemon's life, see port()), {dir} the prefix folder. See also config().
  std::string config = {};
  bool faulty = false;                      // drover-faulty instead of drover
  std::string binary = {};                  // a copy of it to be run instead, {dir} as in config
  Environment environment = {};             // DROVER_FAULT, DROVER_PAUSE
  bool daemonize = false;                   // daemon mode instead of -F
  std::vector<std::string> arguments = {};  // further flags
  bool wait_ready = true;                   // the constructor throws unless it serves
  std::vector<std::string> wrapper = {};    // put before the command: setpriv, prlimit
};

// A configuration around `servers` (whole sections) with control socket, pid file and echo loaded;
// `drover` holds more lines for [drover].
[[nodiscard]] std::string config(std::string_view drover, std::string_view servers);

// "[server NAME] listen = 127.0.0.1:{port} accept = STRATEGY protocol = echo".
[[nodiscard]] std::string echo_server(std::string_view strategy,
                                      std::string_view listen = "127.0.0.1:{port}",
                                      std::string_view name = "echo");

struct WorkerProcess {
  pid_t pid = 0;
  int slot = 0;
  int generation = 0;
};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();

  // Port N of the placeholders: port(1) is {port}, port(2) is {port2}.
  [[nodiscard]] std::uint16_t port(int number = 1);
  [[nodiscard]] std::string dir() const { return dir_.path(); }
  [[nodiscard]] std::string file(std::string_view name) const { return dir_.file(name); }
  [[nodiscard]] std::string config_path() const { return dir_.file("drover.conf"); }
  [[nodiscard]] std::string expand(std::string text);

  // Runs the program once more, as an operator does whose daemon's master has died; the processes
  // that it left stay this daemon's. It is the program of program_status() from now on.
  void start_again();
  // The same, and waits for nothing.
  void start();
  // The same, when it may be refused: true when it serves, false when it has exited.
  [[nodiscard]] bool try_to_start_again();

  // Replaces the file on disk, placeholders expanded; nothing is told to the daemon.
  void rewrite_config(std::string_view text);

  // `drover -c config -p dir ARGS...` run to its end, as this daemon's operator would.
  CommandResult run_command(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& wrapper = {});
  // rewrite_config + `-s reload`.
  CommandResult reload(std::string_view text);
  [[nodiscard]] std::optional<DaemonStatus> try_status();
  [[nodiscard]] DaemonStatus status();  // throws when it does not answer
  // True once the daemon answers and holds the predicate.
  template <class Predicate>
  [[nodiscard]] bool wait_for_status(Predicate predicate, Millis patience = kPatience) {
    return wait_until(
        [&] {
          const auto now = try_status();
          return now && predicate(*now);
        },
        patience, Millis{20});
  }

  // By the titles of the living processes.
  [[nodiscard]] std::vector<WorkerProcess> workers() const;
  [[nodiscard]] std::vector<WorkerProcess> workers_of(int generation) const;
  [[nodiscard]] pid_t worker_pid(int slot) const;  // of the newest generation; 0: none
  [[nodiscard]] pid_t acceptor_pid() const;        // of the newest generation; 0: none
  [[nodiscard]] pid_t master_pid() const;          // 0: none
  [[nodiscard]] std::vector<pid_t> processes() const;

  // The process that DROVER_PAUSE has stopped; throws when none stops in time.
  [[nodiscard]] pid_t wait_for_paused(Millis patience = kPatience) const;

  void signal_master(int signal) const;
  // Graceful or fast stop by signal; the exit status of the program that was started, empty when it
  // did not leave.
  std::optional<int> stop(int signal, Millis patience = kPatience);
  [[nodiscard]] bool wait_gone(Millis patience = kPatience) const;  // every process has ended
  [[nodiscard]] std::optional<int> program_status() { return groups_.back()->program_status(); }

  // stdout and stderr of everything the daemon started.
  [[nodiscard]] std::string log() const;
  [[nodiscard]] bool log_contains(std::string_view text) const;
  [[nodiscard]] bool wait_for_log(std::string_view text, Millis patience = kPatience) const;

 private:
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& arguments,
                                                 const std::vector<std::string>& wrapper) const;
  void wait_until_it_serves();

  DaemonOptions options_;
  TempDir dir_;
  std::map<int, std::uint16_t> ports_;
  std::vector<std::unique_ptr<ProcessGroup>> groups_;  // of each start, the last one last
};

// build/<preset>/<name>.
[[nodiscard]] std::string built(std::string_view name);

}  // namespace drover::test

// drover.service as it ships, in a real systemd: with the binaries and the configuration of a test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/daemon.h"
#include "tests/support/proc.h"
#include "tests/support/sanitizer.h"
#include "tests/support/systemd_machine.h"

namespace drover::test {

inline constexpr std::uint16_t kEchoPort = 7007;
inline constexpr std::uint16_t kCounterPort = 7008;
inline constexpr std::uint16_t kEnvironmentPort = 7009;

struct UnitOptions {
  std::string drover = {};           // more lines for [drover]
  std::string accept = "exclusive";  // of the echo server
  std::string service = {};          // more lines for [Service]
  std::string binary = built("drover");
  int workers = 2;
  std::string counter = "counter";  // the module's file
  std::string zone = "size = 64k";  // lines of [zone counter]; empty: no zone, and no counter
  std::string echo_listen = "127.0.0.1:7007";
};

// What needs root in the unit: a group of reuseport sockets that a socket unit has opened.
inline constexpr const char* kAsRoot = "User=root\nGroup=root\nCapabilityBoundingSet=~\n";

inline std::string shipped(const std::string& name) {
  return read_file(DROVER_SOURCE_DIR "/packaging/systemd/" + name);
}

class DroverUnit {
 public:
  explicit DroverUnit(UnitOptions options = {}) : options_(std::move(options)) {
    write_config();
    machine_.give_to_drover(dir_.path());
    machine_.write_unit("drover.service", shipped("drover.service"));
    machine_.write_unit("drover.service.d/test.conf", drop_in());
  }

  [[nodiscard]] const SystemdMachine& machine() const { return machine_; }
  [[nodiscard]] std::string dir() const { return dir_.path(); }
  [[nodiscard]] std::string file(std::string_view name) const { return dir_.file(name); }
  UnitOptions& options() { return options_; }
  void write_config(const std::string& more = "") {
    write_file(dir_.file("drover.conf"),
               SystemdMachine::seen(replace_all(text() + more, "{dir}", dir_.path().string())));
  }

  CommandResult start() { return machine_.systemctl({"start", "drover.service"}); }
  CommandResult command(const std::string& name) {
    return machine_.run({options_.binary, "-c", file("drover.conf"), "-s", name});
  }
  [[nodiscard]] std::string property(const std::string& name) const {
    return machine_.property("drover.service", name);
  }
  [[nodiscard]] pid_t main_pid() const { return std::stoi("0" + property("MainPID")); }
  [[nodiscard]] bool is_active() const { return property("ActiveState") == "active"; }
  [[nodiscard]] int restarts() const { return std::stoi("0" + property("NRestarts")); }
  [[nodiscard]] bool wait_for_restart(int count = 1) const {
    return wait_until([&] { return restarts() >= count && is_active(); });
  }
  [[nodiscard]] std::string answer() const { return machine_.answer(kEchoPort); }
  void kill_all() {
    EXPECT_EQ(machine_.systemctl({"kill", "--kill-who=all", "-s", "KILL", "drover.service"}).status,
              0);
  }
  [[nodiscard]] bool log_has(const std::string& text) const {
    return read_file(file("log")).find(text) != std::string::npos;
  }
  void kill_main(const std::string& signal) {
    EXPECT_EQ(
        machine_.systemctl({"kill", "--kill-who=main", "-s", signal, "drover.service"}).status, 0);
  }

 private:
  // What hides /tmp would hide the files of the test. All else that the unit forbids is forbidden
  // here, but to the leak checker, which is a debugger.
  [[nodiscard]] std::string drop_in() const {
    const std::string binary = SystemdMachine::seen(options_.binary);
    return "[Unit]\nDefaultDependencies=no\n[Service]\nRestartSec=100ms\nPrivateTmp=no\n"
           "ReadWritePaths=" +
           dir_.path().string() + "\n" + (kUnderAsan ? "SystemCallFilter=@debug\n" : "") +
           "ExecStart=\nExecStart=" + binary + " -F -c " + file("drover.conf") +
           "\nExecReload=\nExecReload=" + binary + " -s reload -c " + file("drover.conf") +
           "\nStandardOutput=file:" + file("log") + "\nStandardError=inherit\n" +
           replace_all(options_.service, "{dir}", dir_.path().string());
  }
  [[nodiscard]] std::string text() const {
    const auto server = [](const std::string& name, const std::string& listen,
                           const std::string& accept) {
      return "\n[server " + name + "]\nlisten = " + listen + "\naccept = " + accept +
             "\nprotocol = " + name + "\n";
    };
    const std::string counter = server("counter", "127.0.0.1:7008", "exclusive");
    return "[drover]\ncontrol = {dir}/control.sock\npid = {dir}/drover.pid\nload = echo\n"
           "load = " +
           built("test-modules/" + options_.counter + ".so") +
           "\nload = " + built("test-modules/environment.so") +
           "\nmodule_dir = " + built("modules") +
           "\nworkers = " + std::to_string(options_.workers) + "\nworker_shutdown_timeout = 60s\n" +
           options_.drover + server("echo", options_.echo_listen, options_.accept) +
           server("environment", "127.0.0.1:7009", "exclusive") +
           (options_.zone.empty() ? "" : counter + "\n[zone counter]\n" + options_.zone + "\n");
  }

  UnitOptions options_;
  TempDir dir_;
  SystemdMachine machine_;
};

// One line's answer of the module on that port, over a connection that stays.
inline std::string ask(Client& client, const std::string& line) {
  client.send_all(line + "\n");
  std::string answer;
  while (!answer.ends_with('\n')) {
    const std::string more = client.receive_some();
    if (more.empty()) return "the connection ended";
    answer += more;
  }
  answer.pop_back();
  return answer;
}

}  // namespace drover::test

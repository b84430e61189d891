// A real systemd as process 1 of pid, mount, network and cgroup namespaces of its own: units are
// started, reloaded, killed and restarted as on a machine. Needs root.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"
#include "tests/support/client.h"
#include "tests/support/command.h"
#include "tests/support/files.h"
#include "tests/support/process_group.h"

namespace drover::test {

class SystemdMachine {
 public:
  // Boots, or throws.
  SystemdMachine();
  SystemdMachine(const SystemdMachine&) = delete;
  SystemdMachine& operator=(const SystemdMachine&) = delete;
  ~SystemdMachine();

  // The same text with the paths of the build as every user of the machine may follow them,
  // wherever the tree lies.
  [[nodiscard]] static std::string seen(const std::string& text);
  // Gives a file or folder to the user that Drover's package makes.
  void give_to_drover(const std::string& path) const;

  // NAME.service, or NAME.service.d/x.conf; systemd reads it at once.
  void write_unit(const std::string& name, std::string_view text) const;

  // A program inside; pids that it prints or is given are those of the machine.
  [[nodiscard]] CommandResult run(const std::vector<std::string>& argv) const;
  CommandResult systemctl(std::vector<std::string> arguments) const;
  [[nodiscard]] std::string property(const std::string& unit, const std::string& name) const;
  // What systemd and the units have said.
  [[nodiscard]] std::string log() const { return read_file(dir_.file("log")); }

  // A connection to a port on its loopback.
  [[nodiscard]] Client connect(std::uint16_t port) const;
  [[nodiscard]] bool is_refused(std::uint16_t port) const;
  // What one new connection that says hello is answered, empty when that fails.
  [[nodiscard]] std::string answer(std::uint16_t port) const;

 private:
  [[nodiscard]] pid_t find_init() const;
  [[nodiscard]] std::vector<std::string> enter() const;

  TempDir dir_;
  std::unique_ptr<ProcessGroup> group_;
  pid_t init_ = 0;  // as seen from outside
};

}  // namespace drover::test

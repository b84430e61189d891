// What drover.service takes from the daemon, and what the daemon can do without it. (That it
// starts, reloads, upgrades and is adopted like this is what the other tests of the unit show: they
// run it as it ships.)
#include <algorithm>
#include <sstream>

#include "tests/integration/systemd_unit.h"

namespace drover::test {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The lines of /proc/PID/status in the machine; none if the process has ended.
std::vector<std::string> status_lines(const DroverUnit& unit, pid_t pid) {
  std::istringstream text(
      unit.machine().run({"cat", "/proc/" + std::to_string(pid) + "/status"}).output);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<pid_t> processes(const DroverUnit& unit) {
  const std::string group = unit.property("ControlGroup");
  std::istringstream text(
      unit.machine().run({"cat", "/sys/fs/cgroup" + group + "/cgroup.procs"}).output);
  std::vector<pid_t> pids;
  for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
  return pids;
}

TEST(Hardening, LeavesNoProcessAPrivilegeNeitherAtTheStartNorAfterAnUpgrade) {
  DroverUnit unit({.accept = "acceptor"});
  ASSERT_EQ(unit.start().status, 0);
  const std::string uid = unit.machine().run({"id", "-u", "drover"}).output;
  const auto look = [&] {
    int looked_at = 0;
    for (const pid_t pid : processes(unit)) {
      const std::vector<std::string> lines = status_lines(unit, pid);
      if (lines.empty()) continue;  // of the former generation, which leaves now
      ++looked_at;
      EXPECT_THAT(lines, Contains(StartsWith("Uid:\t" + uid.substr(0, uid.size() - 1) + "\t")));
      EXPECT_THAT(lines, Contains("CapBnd:\t0000000000000000"));
      EXPECT_THAT(lines, Contains("NoNewPrivs:\t1"));
      EXPECT_THAT(lines, Contains("Seccomp:\t2"));
    }
    EXPECT_GE(looked_at, 4) << "master, acceptor, two workers";
  };
  look();

  ASSERT_EQ(unit.command("upgrade").status, 0);

  look();
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(Hardening, LeavesACrashItsBacktrace) {
  DroverUnit unit({.drover = "load = " + built("test-modules/crashing.so") + "\n"});
  unit.write_config("\n[server bad]\nlisten = 127.0.0.1:7016\nprotocol = crashing\n");
  ASSERT_EQ(unit.start().status, 0);

  Client client = unit.machine().connect(7016);
  client.send_all("crash\n");

  EXPECT_NE(client.next(), Client::Next::kBytes);
  EXPECT_TRUE(wait_until([&] { return unit.log_has(" crashed: frame="); }));
  const std::string log = read_file(unit.file("log"));
  EXPECT_THAT(log, HasSubstr("crashed: signal=SEGV"));
  if (!kUnderAsan) {
    EXPECT_THAT(log, HasSubstr("crashing.so+0x"));
    EXPECT_THAT(log, HasSubstr("drover::Connection"));
  }
  EXPECT_EQ(unit.answer(), "hello");
}

TEST(Hardening, LeavesUnixSocketsTheirModeAndTheirGroup) {
  DroverUnit unit({.service = "SupplementaryGroups=adm\n",
                   .echo_listen = "unix:{dir}/echo.sock mode=0660 group=adm"});

  const CommandResult start = unit.start();

  ASSERT_EQ(start.status, 0) << read_file(unit.file("log"));
  EXPECT_EQ(unit.machine().run({"stat", "-c", "%a %U %G", unit.file("echo.sock")}).output,
            "660 drover adm\n");
}

TEST(Hardening, LeavesLimitsAndCpusToTheConfiguration) {
  DroverUnit unit({.drover = "rlimit_nofile = 4096\ncpu_affinity = 0\n"});

  ASSERT_EQ(unit.start().status, 0);

  std::ptrdiff_t pinned = 0;
  for (const pid_t pid : processes(unit)) {
    const std::string limits =
        unit.machine().run({"cat", "/proc/" + std::to_string(pid) + "/limits"}).output;
    EXPECT_THAT(limits, ContainsRegex("Max open files +4096 "));
    const auto lines = status_lines(unit, pid);
    pinned += std::ranges::count(lines, "Cpus_allowed_list:\t0");
  }
  EXPECT_GE(pinned, 2) << "the workers";
}

TEST(Hardening, KeepsPortsBelow1024FromItUnlessTheDropInGivesThem) {
  DroverUnit unit({.service = "Restart=no\n", .echo_listen = "127.0.0.1:7"});
  EXPECT_NE(unit.start().status, 0);
  EXPECT_TRUE(unit.log_has("listen 127.0.0.1:7: bind: Permission denied"))
      << read_file(unit.file("log"));

  unit.machine().write_unit("drover.service.d/low-ports.conf", shipped("low-ports.conf"));

  EXPECT_EQ(unit.start().status, 0);
  EXPECT_EQ(unit.machine().answer(7), "hello");
  EXPECT_EQ(unit.command("upgrade").status, 0) << "the new binary may bind it, too";
  EXPECT_EQ(unit.machine().answer(7), "hello");
}

}  // namespace
}  // namespace drover::test

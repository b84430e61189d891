#include "tests/support/systemd_machine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <csignal>
#include <filesystem>
#include <iostream>

#include "tests/support/failure.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

// The cgroup is a fresh one below the test's own, so that machines may run side by side.
constexpr const char* kOuter = R"(
set -e
root=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
own=$root$(sed -n 's/^0:://p' /proc/self/cgroup)/drover-test-$$
mkdir "$own"
echo $$ > "$own/cgroup.procs"
unshare --fork --pid --mount --net --cgroup --mount-proc --kill-child=KILL sh {dir}/inner || true
echo $$ > "$own/../cgroup.procs"
find "$own" -depth -type d -exec rmdir {} +
)";

constexpr const char* kInner = R"(
set -e
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for file in passwd group; do mount --bind {dir}/etc/$file /etc/$file; done
mkdir /run/build && mount --bind {build} /run/build
ip link set lo up
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID
export container=lxc SYSTEMD_UNIT_PATH={dir}/units SYSTEMD_GENERATOR_PATH={dir}/generators
exec /lib/systemd/systemd --system --unit=default.target --log-target=console --show-status=no
)";

// The users of this machine, and the one that the package makes.
void add_user(const std::filesystem::path& root) {
  std::filesystem::create_directory(root / "etc");
  for (const char* file : {"passwd", "group"})
    std::filesystem::copy_file(std::string("/etc/") + file, root / "etc" / file);
  const CommandResult made =
      run_command({"systemd-sysusers", "--root=" + root.string(),
                   DROVER_SOURCE_DIR "/packaging/systemd/sysusers.d/drover.conf"});
  if (made.status != 0) fail("systemd-sysusers: " + made.both());
}

// This thread's network, until the scope ends. A socket stays in the one it was made in.
class InNetworkOf {
 public:
  explicit InNetworkOf(pid_t pid) : own_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
    const UniqueFd theirs(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (setns(theirs.get(), CLONE_NEWNET) != 0) fail_errno("setns " + path);
  }
  InNetworkOf(const InNetworkOf&) = delete;
  InNetworkOf& operator=(const InNetworkOf&) = delete;
  ~InNetworkOf() { setns(own_.get(), CLONE_NEWNET); }

 private:
  UniqueFd own_;
};

}  // namespace

SystemdMachine::SystemdMachine() {
  for (const char* folder : {"units", "generators"})
    std::filesystem::create_directory(dir_.path() / folder);
  write_file(dir_.file("units/default.target"), "[Unit]\nDefaultDependencies=no\n");
  add_user(dir_.path());
  write_file(dir_.file("outer"), replace_all(kOuter, "{dir}", dir_.path().string()));
  write_file(dir_.file("inner"), replace_all(replace_all(kInner, "{dir}", dir_.path().string()),
                                             "{build}", DROVER_BUILD_DIR));
  group_ = std::make_unique<ProcessGroup>(std::vector<std::string>{"sh", dir_.file("outer")},
                                          Environment{}, dir_.file("log"));
  const bool is_up = wait_until([this] {
    init_ = find_init();
    return init_ != 0 && systemctl({"is-active", "default.target"}).status == 0;
  });
  if (!is_up) fail("systemd did not boot: " + log());
}

// It does not end on SIGTERM; with process 1 of a pid namespace all of it goes.
SystemdMachine::~SystemdMachine() {
  if (std::uncaught_exceptions() > 0 || ::testing::Test::HasFailure())
    std::cerr << "--- log of systemd\n" << log() << "---\n";
  kill_now(init_);
  if (!wait_until([this] { return group_->program_status().has_value(); }))
    std::cerr << "the cgroup of the machine was not removed\n";
}

pid_t SystemdMachine::find_init() const {
  for (const pid_t pid : descendants_of(group_->program())) {
    if (title_of(pid).starts_with("/lib/systemd/systemd --system")) return pid;
  }
  return 0;
}

void SystemdMachine::write_unit(const std::string& name, std::string_view text) const {
  const std::filesystem::path path = dir_.path() / "units" / name;
  std::filesystem::create_directories(path.parent_path());
  write_file(path, text);
  const CommandResult reread = systemctl({"daemon-reload"});
  if (reread.status != 0) fail("daemon-reload: " + reread.both());
}

std::string SystemdMachine::seen(const std::string& text) {
  return replace_all(text, DROVER_BUILD_DIR, "/run/build");
}

void SystemdMachine::give_to_drover(const std::string& path) const {
  const CommandResult given = run({"chown", "drover:drover", path});
  if (given.status != 0) fail("chown: " + given.both());
}

std::vector<std::string> SystemdMachine::enter() const {
  return {"nsenter", "--target=" + std::to_string(init_), "--pid", "--mount", "--net", "--cgroup"};
}

CommandResult SystemdMachine::run(const std::vector<std::string>& argv) const {
  std::vector<std::string> all = enter();
  all.insert(all.end(), argv.begin(), argv.end());
  return run_command(all);
}

CommandResult SystemdMachine::systemctl(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"systemctl", "--no-pager"});
  return run(arguments);
}

std::string SystemdMachine::property(const std::string& unit, const std::string& name) const {
  std::string value = systemctl({"show", unit, "--value", "--property=" + name}).output;
  if (value.ends_with('\n')) value.pop_back();
  return value;
}

Client SystemdMachine::connect(std::uint16_t port) const {
  const InNetworkOf machine(init_);
  return Client(Endpoint::v4(port));
}

bool SystemdMachine::is_refused(std::uint16_t port) const {
  const InNetworkOf machine(init_);
  int why = 0;
  return !Client::try_connect(Endpoint::v4(port), &why).has_value() && why == ECONNREFUSED;
}

std::string SystemdMachine::answer(std::uint16_t port) const {
  try {
    return connect(port).exchange("hello");
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace drover::test

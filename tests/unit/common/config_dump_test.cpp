// -T prints a configuration that means the same; --directives prints one line about each directive.
#include <sstream>

#include "common/directives.h"
#include "common/directives_listen.h"
#include "tests/unit/common/config_fixture.h"

namespace drover {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

using ConfigDump = ConfigFixture;

// Every directive at a value that is not its default.
constexpr const char* kEverything = R"([drover]
user = www
group = adm
workers = 7
worker_connections = 1000
worker_streams = 2000
rlimit_nofile = 4096
cpu_affinity = 0-3,8
error_log = syslog debug
pid = run/d.pid
control = run/c.sock
working_directory = /tmp
module_dir = modules
load = echo
load = x/kvs.so
ready_timeout = 11s
worker_shutdown_timeout = 6m
max_draining = 5
steer_after = 1300ms
steer_linger = 0
hang_timeout = 1m
max_crashes = 4
max_crashes_window = 2m
rollback_window = 5m
rollback_crashes = 2
[zone urls]
size = 64m
preallocate = on
keep = required
[server a]
listen = 127.0.0.1:1 backlog=1 deferred fastopen=5 nodelay=off keepalive=1m:2s:3 quickack rcvbuf=64k
listen = [::1]:1 v6only=off sndbuf=32k proxy_protocol
listen = unix:a.sock mode=0600 owner=www group=adm
protocol = echo
accept = acceptor balance=round-robin
idle_timeout = 1s
first_byte_timeout = 2s
write_timeout = 3s
proxy_timeout = 4s
linger_timeout = 6s
max_connections = 9
limit_per_ip = 8
deny = 10.0.0.1
allow = 10.0.0.0/8
deny = all
proxy_from = ::1
proxy_from = unix:
access_log = a.log
echo.one = x;y
echo.two =
[server b]
listen = *:2
protocol = x
)";

TEST_F(ConfigDump, ReadsBackToTheSame) {
  const ConfigResult first = load(kEverything);
  ASSERT_THAT(first.errors, IsEmpty());
  const std::string dump = dump_settings(first.settings);
  const ConfigResult second = load(dump);
  ASSERT_THAT(second.errors, IsEmpty()) << dump;
  EXPECT_EQ(dump_settings(second.settings), dump);
}

TEST_F(ConfigDump, HoldsEveryDirectiveWithItsValue) {
  const std::string dump = dump_settings(load(kEverything).settings);
  for (const char* line :
       {"user = www\n", "workers = 7\n", "cpu_affinity = 0-3,8\n", "error_log = syslog debug\n",
        "load = echo\n", "steer_linger = 0\n", "keep = required\n", "[zone urls]\n",
        "listen = 127.0.0.1:1 backlog=1 deferred=on fastopen=5 nodelay=off keepalive=60s:2s:3 "
        "quickack=on rcvbuf=64k\n",
        "accept = acceptor balance=round-robin\n",
        "deny = 10.0.0.1\nallow = 10.0.0.0/8\ndeny = all\n", "proxy_from = unix:\n",
        "echo.one = x;y\necho.two = \n", "[server b]\nlisten = 0.0.0.0:2\n"}) {
    EXPECT_THAT(dump, HasSubstr(line));
  }
  EXPECT_THAT(dump, HasSubstr("pid = " + directory_ + "/run/d.pid\n"));
}

// What the sample above leaves at its default would not be tested.
TEST_F(ConfigDump, IsTestedWithEveryDirective) {
  const std::string everything = kEverything;
  const auto expect_used = [&everything](const std::string& name) {
    if (name == kIncludeDirective) return;
    EXPECT_THAT(everything, HasSubstr("\n" + name + " = "));
  };
  for (const auto& row : drover_directives()) expect_used(row.name);
  for (const auto& row : server_directives()) expect_used(row.name);
  for (const auto& row : zone_directives()) expect_used(row.name);
  for (const ListenOption& option : listen_options()) {
    EXPECT_THAT(everything, HasSubstr(" " + option.directive.name));
  }
}

TEST_F(ConfigDump, OfDefaultsReadsBackToo) {
  const std::string dump = dump_settings(load(kServer).settings);
  EXPECT_EQ(dump_settings(load(dump).settings), dump);
}

TEST(ListDirectives, HasALineWithSixFieldsForEach) {
  std::istringstream lines(list_directives());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(std::count(line.begin(), line.end(), '\t'), 5) << line;
    EXPECT_EQ(line.find("\t\t"), std::string::npos) << line;
  }
  EXPECT_EQ(count, drover_directives().size() + server_directives().size() +
                       zone_directives().size() + listen_options().size());
  EXPECT_THAT(list_directives(),
              HasSubstr("drover\tworkers\tnumber\t1 to 256, or auto\tauto\tworker processes"));
}

}  // namespace
}  // namespace drover

// Whole configurations: what they mean, and everything that is wrong with them, each with file,
// line, section and directive.
#include "common/config.h"

#include "common/scoreboard.h"
#include "tests/unit/common/config_fixture.h"

namespace drover {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

using Config = ConfigFixture;

constexpr const char* kDesignExample = R"(
[drover]
user = drover                     ; only when started as root
workers = auto                    ; CPUs this process may use: affinity and cgroup quota
error_log = /var/log/drover/error.log info      ; file, stderr or syslog
control = /run/drover/control.sock
load = echo                       ; name in module_dir, or a path; may repeat
include = /nowhere/conf-enabled/*.conf

[zone urls]
size = 256m

[server cache]
listen = 127.0.0.1:7010 backlog=4096
listen = unix:/run/drover/cache.sock mode=0660
accept = mutex
protocol = kvs
kvs.zone = urls
idle_timeout = 75s
)";

TEST_F(Config, MeansWhatTheExampleSays) {
  const ConfigResult result = load(kDesignExample);
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_THAT(result.warnings, IsEmpty());
  const Settings& settings = result.settings;
  EXPECT_EQ(settings.user, "drover");
  EXPECT_EQ(settings.workers, 0);
  ASSERT_TRUE(settings.error_log.has_value());
  EXPECT_EQ(settings.error_log->path, "/var/log/drover/error.log");
  EXPECT_EQ(settings.control, "/run/drover/control.sock");
  EXPECT_THAT(settings.load, ElementsAre("echo"));
  ASSERT_THAT(settings.zones, SizeIs(1));
  EXPECT_EQ(settings.zones[0].size_bytes, 256 << 20);
  ASSERT_THAT(settings.servers, SizeIs(1));
  const ServerSettings& server = settings.servers[0];
  EXPECT_EQ(server.name, "cache");
  EXPECT_EQ(server.listens[0].address.to_string(), "127.0.0.1:7010");
  EXPECT_EQ(server.listens[1].mode, 0660);
  EXPECT_EQ(server.accept, AcceptStrategy::kMutex);
  EXPECT_EQ(server.protocol, "kvs");
  EXPECT_EQ(server.idle_timeout, std::chrono::seconds(75));
  ASSERT_THAT(server.module_directives, SizeIs(1));
  EXPECT_EQ(server.module_directives[0].name, "kvs.zone");
  EXPECT_EQ(server.module_directives[0].source.line, 18);
}

TEST_F(Config, KeepsThePrefixForWhatOnlyModulesRead) {
  EXPECT_EQ(load(kServer).settings.prefix, directory_);
}

TEST_F(Config, RefusesAModulesDirectiveThatIsThereTwice) {
  EXPECT_THAT(
      load(kServer + std::string("echo.x = 1\necho.x = 2\n")).errors,
      ElementsAre("d.conf:5: [server web] echo.x: is already set at d.conf:4; remove one of "
                  "the two"));
}

TEST_F(Config, LeavesTheRestAtItsDefaults) {
  const Settings settings = load(kServer).settings;
  EXPECT_FALSE(settings.error_log.has_value());
  EXPECT_EQ(settings.worker_shutdown_timeout, std::chrono::minutes(5));
  EXPECT_EQ(settings.servers[0].accept, AcceptStrategy::kExclusive);
  EXPECT_EQ(settings.servers[0].listens[0].backlog, 4096);
}

TEST_F(Config, PutsRelativePathsUnderThePrefix) {
  const Settings settings =
      load(
          "[drover]\npid = run/d.pid\nload = m/x.so\n[server web]\nprotocol = x\n"
          "access_log = a.log\nlisten = unix:s\n")
          .settings;
  EXPECT_EQ(settings.pid, directory_ + "/run/d.pid");
  EXPECT_THAT(settings.load, ElementsAre(directory_ + "/m/x.so"));
  EXPECT_EQ(settings.servers[0].access_log, directory_ + "/a.log");
  EXPECT_EQ(settings.servers[0].listens[0].address.path(), directory_ + "/s");
}

TEST_F(Config, PutsRelativePathsUnderTheCurrentDirectoryWithoutAPrefix) {
  write("d.conf", std::string("[drover]\npid = d.pid\n") + kServer);
  const ConfigResult result = load_config({directory_ + "/d.conf", "", {}});
  EXPECT_EQ(result.settings.pid, (std::filesystem::current_path() / "d.pid").string());
}

TEST_F(Config, TellsEveryErrorNotOnlyTheFirst) {
  EXPECT_THAT(load("[drover]\nworkers = 0\nwrokers = 2\njunk\n[sever a]\nx = 1\n[server b]\n"
                   "protocol = echo\nlisten = nowhere\nidle_timeout = soon\n")
                  .errors,
              ElementsAre(HasSubstr("d.conf:4: \"junk\" is neither a section nor a directive"),
                          HasSubstr("d.conf:2: [drover] workers: \"0\" is out of range; write a "
                                    "number from 1 to 256, or auto"),
                          "d.conf:3: [drover] wrokers: unknown directive; did you mean workers?",
                          "d.conf:5: [sever a] is not a section; did you mean server?",
                          HasSubstr("d.conf:9: [server b] listen: \"nowhere\" is not an address"),
                          HasSubstr("d.conf:10: [server b] idle_timeout: \"soon\" is not a")));
}

struct Refusal {
  const char* name;
  std::string content;
  std::string message;
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class ConfigRefusal : public ConfigFixture, public testing::WithParamInterface<Refusal> {};

TEST_P(ConfigRefusal, IsOneErrorThatSaysWhatWouldBeRight) {
  EXPECT_THAT(load(GetParam().content).errors, ElementsAre(GetParam().message));
}

const std::string kWeb = kServer;

INSTANTIATE_TEST_SUITE_P(
    Config, ConfigRefusal,
    testing::Values(
        Refusal{"Empty", "", "d.conf: the file is empty; a [server NAME] must be in it"},
        Refusal{"OnlyComments", "; nothing\n",
                "d.conf: nothing to serve; add a section [server NAME]"},
        Refusal{"NoServer", "[drover]\nworkers = 1\n",
                "d.conf: nothing to serve; add a section [server NAME]"},
        Refusal{"NoListen", "[server a]\nprotocol = mux\n",
                "d.conf:1: [server a]: no server listens, there is nothing to serve; "
                "add listen = ADDRESS:PORT"},
        Refusal{"BeforeAnySection", "workers = 1\n" + kWeb,
                "d.conf:1: workers: stands before any section; put it under [drover]"},
        Refusal{"SectionTwice", kWeb + "[zone z]\nsize = 1m\n[zone z]\n",
                "d.conf:6: [zone z]: the section is already at d.conf:4; put its directives there"},
        Refusal{"DroverTwice", "[drover]\n" + kWeb + "[drover]\n",
                "d.conf:5: [drover]: the section is already at d.conf:1; put its directives there"},
        Refusal{"SectionWithoutName", kWeb + "[server]\n",
                "d.conf:4: [server] has no name; write [server NAME]"},
        Refusal{"SectionWithTwoNames", kWeb + "[server a b]\n",
                "d.conf:4: [server a b] has blanks in its name; write [server NAME]"},
        Refusal{"SectionWithADot", kWeb + "[server a.b]\n",
                "d.conf:4: [server a.b] has a name that is not valid; use up to 32 letters, "
                "digits, - and _, but not drover"},
        Refusal{"DroverWithName", "[drover x]\n" + kWeb,
                "d.conf:1: [drover x] takes no name; write [drover]"},
        Refusal{"UnknownSection", kWeb + "[upstream x]\ny = 1\n",
                "d.conf:4: [upstream x] is not a section; sections are [drover], [server NAME] and "
                "[zone NAME]"},
        Refusal{"ScalarTwice", "[drover]\nworkers = 1\nworkers = 1\n" + kWeb,
                "d.conf:3: [drover] workers: is already set at d.conf:2; remove one of the two"},
        Refusal{"WrongSection", kWeb + "workers = 1\n",
                "d.conf:4: [server web] workers: unknown here; it belongs in [drover]"},
        Refusal{"UnknownDirective", kWeb + "tls = on\n",
                "d.conf:4: [server web] tls: unknown directive; see drover --directives"},
        Refusal{"HiddenCharacter", kWeb + "\xc2\xa0tls = on\n",
                "d.conf:4: [server web] \"\\xc2\\xa0tls\": unknown directive; see drover "
                "--directives"},
        Refusal{"NoValue", "[drover]\nworkers =\n" + kWeb,
                "d.conf:2: [drover] workers: has no value; write workers = and 1 to 256, or auto"},
        Refusal{"NoProtocol", "[server a]\nlisten = *:1\n",
                "d.conf:1: [server a] protocol: is missing; name the module that serves, for "
                "example protocol = echo"},
        Refusal{"NoZoneSize", kWeb + "[zone z]\n",
                "d.conf:4: [zone z] size: is missing; write for example size = 64m"},
        Refusal{"SameAddressTwice", kWeb + "[server b]\nprotocol = x\nlisten = 127.0.0.1:7007\n",
                "d.conf:6: [server b] listen: 127.0.0.1:7007 is already used by [server web] at "
                "d.conf:3; choose another"},
        Refusal{"SamePathAsControl",
                "[drover]\ncontrol = /c\n[server b]\nprotocol = x\nlisten = unix:/c\n",
                "d.conf:5: [server b] listen: unix:/c is already used by control in [drover] at "
                "d.conf:2; choose another"},
        Refusal{"ReuseportOnUnix",
                "[server b]\nprotocol = x\naccept = reuseport\nlisten = unix:/c\n",
                "d.conf:4: [server b] listen: unix:/c cannot be used with accept = reuseport; "
                "choose another strategy or a server of its own"},
        Refusal{"ProxyWithoutFrom", "[server b]\nprotocol = x\nlisten = *:1 proxy_protocol\n",
                "d.conf:3: [server b] listen: proxy_protocol trusts nobody without proxy_from; add "
                "proxy_from = ADDRESSES"},
        Refusal{"ModeOnTcp", "[server b]\nprotocol = x\nlisten = 127.0.0.1:1 mode=0660\n",
                "d.conf:3: [server b] listen: option mode is for unix sockets only; remove it from "
                "127.0.0.1:1"},
        Refusal{"HangBeforeSteer", "[drover]\nhang_timeout = 1s\n" + kWeb,
                "d.conf:2: [drover] hang_timeout: hang_timeout (1s) must be longer than "
                "steer_after (1200ms); raise it"},
        Refusal{"SteerAfterHang", "[drover]\nsteer_after = 10s\n" + kWeb,
                "d.conf:2: [drover] steer_after: hang_timeout (10s) must be longer than "
                "steer_after (10s); lower it"},
        Refusal{"PidIsControl", "[drover]\npid = /x\ncontrol = /x\n" + kWeb,
                "d.conf:3: [drover] control: is the same path as pid at d.conf:2; choose another"},
        Refusal{"ControlTooLong", "[drover]\ncontrol = /" + std::string(107, 'x') + "\n" + kWeb,
                "d.conf:2: [drover] control: the path is too long for a unix socket: 108 bytes; "
                "use at most 107"},
        Refusal{"LoadedTwice", "[drover]\nload = echo\nload = echo\n" + kWeb,
                "d.conf:3: [drover] load: \"echo\" is loaded twice; remove one line"},
        Refusal{"ForeignModuleDirective", kWeb + "kvs.zone = x\n",
                "d.conf:4: [server web] kvs.zone: belongs to module \"kvs\", but protocol is "
                "\"echo\"; its directives begin with echo."}),
    [](const auto& row) { return row.param.name; });

TEST_F(Config, TellsAMissingFile) {
  EXPECT_THAT(load_config({"/nowhere/d.conf", "", {}}).errors,
              ElementsAre("/nowhere/d.conf: cannot read the configuration: No such file or "
                          "directory"));
}

TEST_F(Config, TellsABinaryFile) {
  std::string content = kWeb;
  for (int i = 0; i < 2000; ++i) content += {static_cast<char>(i * 7), '\0', '\n'};
  const ConfigResult result = load(content);
  EXPECT_THAT(result.errors, SizeIs(101));
  EXPECT_THAT(result.errors.front(), HasSubstr("NUL byte; a configuration is plain text"));
  EXPECT_THAT(result.errors.back(), StartsWith("and "));
}

TEST_F(Config, AllowsPortZeroTwice) {
  EXPECT_THAT(load("[server a]\nprotocol = x\nlisten = 127.0.0.1:0\nlisten = 127.0.0.1:0\n").errors,
              IsEmpty());
}

TEST_F(Config, AllowsAServerForStreamsBesideOneThatListens) {
  EXPECT_THAT(load(kWeb + "[server inner]\nprotocol = echo\n").errors, IsEmpty());
}

TEST_F(Config, WarnsOfWhatHasNoEffect) {
  const ConfigResult result =
      load(kWeb + "max_connections = 10\nlimit_per_ip = 11\nproxy_from = all\n");
  EXPECT_TRUE(result.ok());
  EXPECT_THAT(result.warnings,
              ElementsAre("d.conf:5: [server web] limit_per_ip: is larger than max_connections and "
                          "has no effect",
                          "d.conf:1: [server web] proxy_from: has no effect; no listen of this "
                          "server has proxy_protocol"));
}

TEST_F(Config, RefusesMoreServersThanTheScoreboardHolds) {
  std::string content;
  for (int i = 0; i <= kMaxBoardServers; ++i) {
    content += "[server s" + std::to_string(i) + "]\nprotocol = x\nlisten = 127.0.0.1:0\n";
  }
  const std::string most = std::to_string(kMaxBoardServers);
  EXPECT_THAT(load(content).errors,
              ElementsAre("d.conf:" + std::to_string(kMaxBoardServers * 3 + 1) + ": [server s" +
                          most + "]: too many servers; use at most " + most));
}

// -s reads pid and control from whatever is there.
TEST_F(Config, ScansAGoodFileForItsPaths) {
  write("d.conf", "[drover]\npid = d.pid\ncontrol = /c.sock\n" + kWeb);
  const ControlPaths paths = scan_control_paths(request());
  EXPECT_EQ(paths.pid, directory_ + "/d.pid");
  EXPECT_EQ(paths.control, "/c.sock");
}

TEST_F(Config, ScansABrokenFileForItsPaths) {
  write("d.conf",
        "junk\n[drover\nworkers = x\n pid = /p\ncontrol = \"/no\"\ncontrol = /c\ncontrol = /d\n"
        "include = /nowhere\n[server]\npid = /q\n" +
            std::string("\0\n[", 3));
  const ControlPaths paths = scan_control_paths(request());
  EXPECT_EQ(paths.pid, "/p");
  EXPECT_EQ(paths.control, "/c");
}

TEST_F(Config, ScansIncludedFilesAndOverridesToo) {
  write("i.conf", "[drover]\npid = /p\ncontrol = /c\n");
  write("d.conf", "[drover]\ninclude = i.conf\n");
  const ControlPaths paths = scan_control_paths(request({{"drover", "control", "/g"}}));
  EXPECT_EQ(paths.pid, "/p");
  EXPECT_EQ(paths.control, "/g");
}

TEST_F(Config, ScansAMissingFileForNothing) {
  const ControlPaths paths = scan_control_paths({"/nowhere", "", {}});
  EXPECT_EQ(paths.pid, "");
  EXPECT_EQ(paths.control, "");
}

}  // namespace
}  // namespace drover

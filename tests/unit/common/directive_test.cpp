// The table mechanism and the kinds of values, on the real tables: each default reads back as
// itself, and each kind refuses with its range.
#include "common/directive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/directives.h"
#include "common/directives_listen.h"

namespace drover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const ValueContext kContext{"/prefix", {"test.conf", 1}};

template <class Section>
void expect_defaults_read_back(const std::vector<Directive<Section>>& table) {
  for (const Directive<Section>& row : table) {
    const std::string text = row.default_value();
    if (text.empty()) continue;
    Section section;
    const Status status = row.set(section, text, kContext);
    EXPECT_TRUE(status.ok()) << row.name << " = " << text << ": " << status.error().message();
    EXPECT_EQ(row.get(section).front().value, text) << row.name;
  }
}

TEST(Directives, ReadTheirDefaultsBack) {
  expect_defaults_read_back(drover_directives());
  expect_defaults_read_back(server_directives());
  expect_defaults_read_back(zone_directives());
}

template <class Section>
void expect_complete_rows(const std::vector<Directive<Section>>& table) {
  for (const Directive<Section>& row : table) {
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_FALSE(row.type.empty()) << row.name;
    EXPECT_FALSE(row.help.ends_with('.')) << row.name;
    EXPECT_TRUE(row.repeats || row.required || !row.default_value().empty()) << row.name;
  }
}

TEST(Directives, HaveHelpAndADefaultOrARoleWithoutOne) {
  expect_complete_rows(drover_directives());
  expect_complete_rows(server_directives());
  expect_complete_rows(zone_directives());
}

// [drover] directives, by their effect on the printed value.
struct Value {
  const char* directive;
  const char* text;
  const char* printed;
};

class DroverValue : public testing::TestWithParam<Value> {};

TEST_P(DroverValue, IsReadAndPrinted) {
  Settings settings;
  const auto* row = find_directive(drover_directives(), GetParam().directive);
  ASSERT_NE(row, nullptr);
  const Status status = row->set(settings, GetParam().text, kContext);
  ASSERT_TRUE(status.ok()) << status.error().message();
  EXPECT_EQ(row->get(settings).front().value, GetParam().printed);
}

INSTANTIATE_TEST_SUITE_P(
    Directives, DroverValue,
    testing::Values(Value{"workers", "256", "256"}, Value{"workers", "auto", "auto"},
                    Value{"user", "drover", "drover"},
                    Value{"pid", "run/x.pid", "/prefix/run/x.pid"},
                    Value{"pid", "/run/../x.pid", "/x.pid"}, Value{"control", "none", "none"},
                    Value{"error_log", "stderr", "stderr info"}, Value{"error_log", "auto", "auto"},
                    Value{"error_log", "syslog debug", "syslog debug"},
                    Value{"error_log", "log/my file  error", "/prefix/log/my file error"},
                    Value{"load", "echo", "echo"},
                    Value{"load", "my/echo.so", "/prefix/my/echo.so"},
                    Value{"cpu_affinity", "auto", "auto"}, Value{"cpu_affinity", "0-3,8", "0-3,8"},
                    Value{"cpu_affinity", "3,2,1", "3,2,1"}, Value{"hang_timeout", "90s", "90s"},
                    Value{"rlimit_nofile", "inherit", "inherit"}));

class DroverRefusal : public testing::TestWithParam<Value> {};

TEST_P(DroverRefusal, SaysWhatWouldBeRight) {
  Settings settings;
  const auto* row = find_directive(drover_directives(), GetParam().directive);
  ASSERT_NE(row, nullptr);
  const Status status = row->set(settings, GetParam().text, kContext);
  ASSERT_FALSE(status.ok()) << GetParam().text;
  EXPECT_THAT(status.error().message(), HasSubstr(GetParam().printed));
}

INSTANTIATE_TEST_SUITE_P(Directives, DroverRefusal,
                         testing::Values(Value{"workers", "0", "1 to 256, or auto"},
                                         Value{"workers", "257", "out of range"},
                                         Value{"workers", "many", "is not a number"},
                                         Value{"workers", "4 # four", "is not a number"},
                                         Value{"max_draining", "-1", "is not a number"},
                                         Value{"ready_timeout", "2d", "10ms to 1h"},
                                         Value{"user", "a b", "has blanks"},
                                         Value{"user", "\"a\"", "without them"},
                                         Value{"pid", "\"/x\"", "without them"},
                                         Value{"error_log", "/x.log loud", "is not a log level"},
                                         Value{"error_log", "debug", "names no file"},
                                         Value{"cpu_affinity", "3-1", "is not a CPU"},
                                         Value{"cpu_affinity", "1-2-3", "is not a CPU"},
                                         Value{"cpu_affinity", "", "is not a CPU"},
                                         Value{"cpu_affinity", "1024", "is not a CPU"},
                                         Value{"cpu_affinity", "0-1023,0-1023", "too many CPUs"}));

class ListenValue : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(ListenValue, IsReadAndPrintedWithoutItsDefaults) {
  auto listen = parse_listen(GetParam().first, kContext);
  ASSERT_TRUE(listen.ok()) << listen.error().message();
  EXPECT_EQ(print_listen(*listen), GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(
    Directives, ListenValue,
    testing::Values(std::pair{"127.0.0.1:1", "127.0.0.1:1"},
                    std::pair{"*:1 backlog=4096 nodelay=on", "0.0.0.0:1"},
                    std::pair{"127.0.0.1:1  deferred\tquickack=off", "127.0.0.1:1 deferred=on"},
                    std::pair{"127.0.0.1:1 fastopen=16 nodelay=off rcvbuf=64k sndbuf=0",
                              "127.0.0.1:1 fastopen=16 nodelay=off rcvbuf=64k"},
                    std::pair{"127.0.0.1:1 keepalive=30m::10", "127.0.0.1:1 keepalive=1800s::10"},
                    std::pair{"127.0.0.1:1 keepalive=on", "127.0.0.1:1 keepalive=on"},
                    std::pair{"[::]:1 v6only=off proxy_protocol",
                              "[::]:1 v6only=off proxy_protocol=on"},
                    std::pair{"unix:x.sock mode=0660 owner=www group=adm",
                              "unix:/prefix/x.sock mode=0660 owner=www group=adm"}));

class ListenRefusal : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(ListenRefusal, SaysWhatWouldBeRight) {
  auto listen = parse_listen(GetParam().first, kContext);
  ASSERT_FALSE(listen.ok()) << GetParam().first;
  EXPECT_THAT(listen.error().message(), HasSubstr(GetParam().second));
}

INSTANTIATE_TEST_SUITE_P(
    Directives, ListenRefusal,
    testing::Values(
        std::pair{" ", "has no address"}, std::pair{"1", "is only a port"},
        std::pair{"*:1 backlgo=1", "did you mean backlog?"},
        std::pair{"*:1 ssl", "known are backlog, deferred"},
        std::pair{"*:1 backlog", "write backlog=1 to 1048576"},
        std::pair{"*:1 backlog=0", "option backlog: \"0\" is out of range"},
        std::pair{"*:1 backlog=1 backlog=1", "is given twice"},
        std::pair{"*:1 deferred=yes", "write on or off"},
        std::pair{"*:1 mode=0660", "option mode is for unix sockets only"},
        std::pair{"*:1 owner=x", "unix sockets only"}, std::pair{"*:1 v6only=on", "IPv6 only"},
        std::pair{"unix:/x nodelay=on", "TCP only"}, std::pair{"unix:/x v6only=on", "IPv6 only"},
        std::pair{"unix:/x mode=0888", "write octal"},
        std::pair{"unix:/x mode=1777", "write octal"}, std::pair{"unix:/x mode=", "write octal"},
        std::pair{"*:1 rcvbuf=1k", "2k to 1g, or 0"},
        std::pair{"*:1 keepalive=::", "has not three parts"},
        std::pair{"*:1 keepalive=1s:2s", "has not three parts"},
        std::pair{"*:1 keepalive=1ms:1s:1", "whole seconds"},
        std::pair{"*:1 keepalive=1s:1s:128", "the count is not a number from 1 to 127"}));

Status set_server(ServerSettings& server, const char* directive, const char* text) {
  return find_directive(server_directives(), directive)->set(server, text, kContext);
}

TEST(ServerDirectives, KeepAllowAndDenyInTheirOrder) {
  ServerSettings server;
  ASSERT_TRUE(set_server(server, "deny", "10.0.0.1").ok());
  ASSERT_TRUE(set_server(server, "allow", "10.0.0.0/8").ok());
  ASSERT_TRUE(set_server(server, "deny", "all").ok());
  std::vector<std::string> lines;
  for (const NamedValue& line : find_directive(server_directives(), "allow")->get(server)) {
    lines.push_back(line.name + " " + line.value);
  }
  EXPECT_THAT(lines, ElementsAre("deny 10.0.0.1", "allow 10.0.0.0/8", "deny all"));
}

TEST(ServerDirectives, ReadEveryStrategyAndItsBalance) {
  for (const char* text :
       {"shared", "exclusive", "mutex", "acceptor", "acceptor balance=round-robin", "reuseport"}) {
    ServerSettings server;
    ASSERT_TRUE(set_server(server, "accept", text).ok()) << text;
    EXPECT_EQ(find_directive(server_directives(), "accept")->get(server).front().value, text);
  }
}

TEST(ServerDirectives, RefuseAStrategyWithAdvice) {
  ServerSettings server;
  EXPECT_THAT(set_server(server, "accept", "reusport").error().message(),
              HasSubstr("did you mean reuseport?"));
  EXPECT_THAT(set_server(server, "accept", "epoll").error().message(),
              HasSubstr("write shared, exclusive, mutex, acceptor or reuseport"));
  EXPECT_THAT(set_server(server, "accept", "shared balance=least").error().message(),
              HasSubstr("only acceptor takes balance"));
  EXPECT_THAT(set_server(server, "accept", "acceptor balance=best").error().message(),
              HasSubstr("balance=least or balance=round-robin"));
}

TEST(DirectiveText, GuessesWhatWasMeant) {
  const std::vector<std::string> names = {"workers", "worker_connections", "user"};
  EXPECT_EQ(closest("worker", names), "workers");
  EXPECT_EQ(closest("wrokers", names), "workers");
  EXPECT_EQ(closest("worker_conections", names), "worker_connections");
  EXPECT_EQ(closest("tls", names), "");
  EXPECT_EQ(closest(std::string(10'000, 'x'), names), "");
}

TEST(DirectiveText, QuotesWhatATerminalMustNotSee) {
  EXPECT_EQ(quote("a b"), "\"a b\"");
  EXPECT_EQ(quote("\x1b[2J\xc2\xa0"), "\"\\x1b[2J\\xc2\\xa0\"");
  EXPECT_EQ(quote(std::string(100, 'x')), "\"" + std::string(80, 'x') + "...\"");
}

}  // namespace
}  // namespace drover

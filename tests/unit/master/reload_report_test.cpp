// Two configurations compared: tables of what differs, and how it is said.
#include "master/reload_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "master/reload_report_text.h"

namespace drover {

void PrintTo(const ReloadReport::Listener& row, std::ostream* out) {
  *out << row.address << " " << to_string(row.change) << " " << row.sockets_from << "->"
       << row.sockets_to;
}

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

ListenSettings listen_at(const std::string& address) {
  ListenSettings listen;
  listen.address = Address::parse(address).value();
  return listen;
}

ServerSettings server_named(const std::string& name, const std::string& address) {
  ServerSettings server;
  server.name = name;
  server.protocol = "echo";
  server.listens.push_back(listen_at(address));
  return server;
}

ModuleImage module(const std::string& name, const std::string& build_id) {
  return {name, "/modules/" + name + ".so", build_id, UniqueFd()};
}

// A configuration with two servers, one module and one zone; a case changes the second.
struct Configuration {
  Configuration() {
    settings.servers.push_back(server_named("web", "127.0.0.1:80"));
    settings.servers.push_back(server_named("cache", "127.0.0.1:90"));
    settings.zones.push_back({"urls", 4096, false, false, {}});
    modules.push_back(module("echo", "aa"));
  }
  [[nodiscard]] ConfigurationView view(std::optional<std::uint32_t> generation) const {
    return {generation, &settings, workers, &modules};
  }
  Settings settings;
  std::vector<ModuleImage> modules;
  int workers = 2;
};

class ReloadReportTest : public testing::Test {
 protected:
  ReloadReport report() { return compare(from_.view(7), to_.view(8)); }
  Configuration from_;
  Configuration to_;
};

TEST_F(ReloadReportTest, OfTheSameKeepsAll) {
  const ReloadReport same = report();

  EXPECT_EQ(same.generation_from, 7U);
  EXPECT_EQ(same.generation_to, 8U);
  EXPECT_EQ(same.workers_from, 2);
  EXPECT_EQ(same.workers_to, 2);
  EXPECT_THAT(same.directives, IsEmpty());
  EXPECT_THAT(same.strategies, IsEmpty());
  for (const auto& listener : same.listeners) EXPECT_EQ(listener.change, Change::kKept);
  for (const auto& server : same.servers) EXPECT_EQ(server.change, Change::kKept);
  for (const auto& each : same.modules) EXPECT_EQ(each.change, Change::kKept);
  for (const auto& zone : same.zones) EXPECT_EQ(zone.change, Change::kKept);
  EXPECT_EQ(same.listeners.size() + same.servers.size(), 4U);
  EXPECT_EQ(same.modules.size() + same.zones.size(), 2U);
}

TEST_F(ReloadReportTest, HasListenersByAddressWhicheverServerTheyAreIn) {
  std::swap(to_.settings.servers[0].listens, to_.settings.servers[1].listens);
  to_.settings.servers[0].listens.push_back(listen_at("[::1]:80"));
  from_.settings.servers[1].listens.push_back(listen_at("127.0.0.1:91"));

  EXPECT_THAT(report().listeners,
              ElementsAre(ReloadReport::Listener{"127.0.0.1:90", Change::kKept, 1, 1},
                          ReloadReport::Listener{"[::1]:80", Change::kAdded, 0, 1},
                          ReloadReport::Listener{"127.0.0.1:80", Change::kKept, 1, 1},
                          ReloadReport::Listener{"127.0.0.1:91", Change::kRemoved, 1, 0}));
}

TEST_F(ReloadReportTest, CountsASocketForEachWorkerUnderReuseport) {
  from_.settings.servers[0].accept = AcceptStrategy::kReuseport;
  to_.settings.servers[0].accept = AcceptStrategy::kReuseport;
  to_.settings.servers[1].accept = AcceptStrategy::kReuseport;
  to_.workers = 5;

  const ReloadReport changed = report();

  EXPECT_EQ(changed.workers_to, 5);
  EXPECT_THAT(changed.listeners,
              ElementsAre(ReloadReport::Listener{"127.0.0.1:80", Change::kKept, 2, 5},
                          ReloadReport::Listener{"127.0.0.1:90", Change::kKept, 1, 5}));
  EXPECT_THAT(changed.strategies,
              ElementsAre(ReloadReport::Strategy{"cache", AcceptStrategy::kExclusive,
                                                 AcceptStrategy::kReuseport}));
}

TEST_F(ReloadReportTest, HasServersThatComeAndGo) {
  to_.settings.servers[1] = server_named("mux", "127.0.0.1:90");

  EXPECT_THAT(report().servers, ElementsAre(ReloadReport::Server{"web", Change::kKept, {}},
                                            ReloadReport::Server{"mux", Change::kAdded, {}},
                                            ReloadReport::Server{"cache", Change::kRemoved, {}}));
  EXPECT_THAT(report().listeners[1], (ReloadReport::Listener{"127.0.0.1:90", Change::kKept, 1, 1}));
}

struct Difference {
  const char* name;
  std::function<void(ServerSettings&)> make;
  std::vector<std::string> directives;
};

void PrintTo(const Difference& row, std::ostream* out) { *out << row.name; }

class DirectivesTest : public testing::TestWithParam<Difference> {};

TEST_P(DirectivesTest, ThatDifferAreNamed) {
  Configuration from;
  Configuration to;
  GetParam().make(to.settings.servers[0]);

  for (const auto& [before, after] : {std::pair{&from, &to}, {&to, &from}}) {
    const ReloadReport changed = compare(before->view(1), after->view(2));
    EXPECT_EQ(changed.servers[0].change, Change::kChanged);
    EXPECT_EQ(changed.servers[0].directives, GetParam().directives);
    EXPECT_EQ(changed.servers[1].change, Change::kKept);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, DirectivesTest,
    testing::Values(
        Difference{"number", [](auto& server) { server.max_connections = 5; }, {"max_connections"}},
        Difference{"two",
                   [](auto& server) {
                     server.protocol = "kvs";
                     server.idle_timeout = Millis{9};
                   },
                   {"idle_timeout", "protocol"}},
        Difference{
            "option_of_listen", [](auto& server) { server.listens[0].backlog = 3; }, {"listen"}},
        Difference{"another_line",
                   [](auto& server) {
                     server.access.push_back({false, Cidr::parse("all").value()});
                   },
                   {"deny"}},
        Difference{"of_a_module",
                   [](auto& server) {
                     server.module_directives.push_back({"kvs.zone", "a", {}});
                   },
                   {"kvs.zone"}}),
    [](const auto& row) { return row.param.name; });

TEST_F(ReloadReportTest, NamesTheDirectivesOfTheMasterThatDiffer) {
  to_.settings.max_draining = 9;
  to_.settings.load.push_back("kvs");

  EXPECT_THAT(report().directives, ElementsAre("load", "max_draining"));
}

TEST_F(ReloadReportTest, TellsModulesApartByBuildId) {
  from_.modules.push_back(module("gone", "11"));
  from_.modules.push_back(module("rebuilt", "22"));
  from_.modules.push_back(module("unknown", ""));
  to_.modules.push_back(module("rebuilt", "23"));
  to_.modules.push_back(module("unknown", ""));
  to_.modules.push_back(module("fresh", "44"));

  EXPECT_THAT(report().modules,
              ElementsAre(ReloadReport::Module{"echo", Change::kKept, "aa", "aa"},
                          ReloadReport::Module{"rebuilt", Change::kChanged, "22", "23"},
                          ReloadReport::Module{"unknown", Change::kChanged, "", ""},
                          ReloadReport::Module{"fresh", Change::kAdded, "", "44"},
                          ReloadReport::Module{"gone", Change::kRemoved, "11", ""}));
}

TEST_F(ReloadReportTest, HasZonesThatComeAndGo) {
  to_.settings.zones.push_back({"fresh", 4096, false, false, {}});
  from_.settings.zones.push_back({"gone", 4096, false, false, {}});

  EXPECT_THAT(report().zones, ElementsAre(ReloadReport::Zone{"urls", Change::kKept},
                                          ReloadReport::Zone{"fresh", Change::kAdded},
                                          ReloadReport::Zone{"gone", Change::kRemoved}));
}

class ReportTextTest : public ReloadReportTest {
 protected:
  ReportTextTest() {
    to_.workers = 3;
    to_.settings.servers[0].accept = AcceptStrategy::kReuseport;
    to_.settings.servers[0].idle_timeout = Millis{9};
    to_.settings.servers.pop_back();
    to_.settings.zones[0].name = "more";
    to_.settings.max_draining = 9;
    to_.modules[0].build_id = "bb";
  }
  ReloadReport done() {
    ReloadReport done = report();
    done.validated = Millis{12};
    done.ready = Millis{40};
    return done;
  }
};

TEST_F(ReportTextTest, IsOneLineOfJson) {
  EXPECT_EQ(
      report_json(done()),
      R"({"generation_from":7,"generation_to":8,"workers_from":2,"workers_to":3,)"
      R"("directives":["max_draining"],)"
      R"("listeners":[{"address":"127.0.0.1:80","change":"kept","sockets_from":1,"sockets_to":3},)"
      R"({"address":"127.0.0.1:90","change":"removed","sockets_from":1,"sockets_to":0}],)"
      R"("strategies":[{"server":"web","from":"exclusive","to":"reuseport"}],)"
      R"("servers":[{"name":"web","change":"changed","directives":["accept","idle_timeout"]},)"
      R"({"name":"cache","change":"removed","directives":[]}],)"
      R"("modules":[{"name":"echo","change":"changed","build_id_from":"aa","build_id_to":"bb"}],)"
      R"("zones":[{"name":"more","change":"new"},{"name":"urls","change":"freed"}],)"
      R"("validated_ms":12,"ready_ms":40})");
}

TEST_F(ReportTextTest, SaysNullOfWhatAPlanDoesNotKnow) {
  const std::string json = report_json(compare(from_.view(7), to_.view(std::nullopt)));

  EXPECT_THAT(json, HasSubstr(R"("generation_from":7,"generation_to":null,)"));
  EXPECT_THAT(json, HasSubstr(R"("ready_ms":null})"));
}

TEST_F(ReportTextTest, IsATableForPeople) {
  EXPECT_EQ(report_table(done()),
            "  workers 2 -> 3\n"
            "  [drover]: changed: max_draining\n"
            "  listen 127.0.0.1:80: kept, sockets 1 -> 3\n"
            "  listen 127.0.0.1:90: removed\n"
            "  server web: changed: accept, idle_timeout\n"
            "  server cache: removed\n"
            "  server web: accept exclusive -> reuseport\n"
            "  module echo: changed, build id aa -> bb\n"
            "  zone more: new\n"
            "  zone urls: freed\n"
            "  validated after 12 ms, ready after 40 ms\n");
}

TEST_F(ReportTextTest, OfAPlanTellsNoTimeThatIsNotKnown) {
  const std::string table = report_table(compare(from_.view(7), to_.view(std::nullopt)));

  EXPECT_THAT(table, HasSubstr("  validated after 0 ms\n"));
  EXPECT_THAT(table, Not(HasSubstr("ready after")));
}

}  // namespace
}  // namespace drover

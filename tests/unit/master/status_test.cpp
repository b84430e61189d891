// What a status says of plain values, and what it makes of what children may have written.
#include "master/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace drover {
namespace {

using testing::HasSubstr;

StatusReport full_report() {
  StatusReport report;
  report.pid = 7;
  report.uptime = Millis{61'000};
  report.now = Millis{100'000};
  WorkerStatus worker;
  worker.slot = 3;
  worker.process = {812, "ready", Millis{5'500}, Millis{12}, 2, std::nullopt};
  worker.live = 41;
  worker.streams = 1'700;
  worker.counters.values[0] = 97;
  worker.turns = 123'456;
  worker.loop_max_us = 9'000;
  worker.loop_p99_us = 450;
  worker.process.last_crash =
      Crash{"2026-11-21T10:00:00.123Z",
            Millis{40'000},
            811,
            "SEGV",
            "was killed by signal 11 (SIGSEGV)",
            CrashDescription{"SEGV", 16, "bad.so", {"0x1 bad.so+0x1", "0x2 main+0x2"}}};
  AcceptorStatus acceptor{{900, "ready", Millis{3'000}, Millis{1}, 0, std::nullopt}, 2, {}};
  HelperStatus helper{"web", "job", {901, "backoff", Millis{0}, Millis{0}, 4, std::nullopt}};
  report.generations.push_back({5, "serving", 1.25, {worker}, acceptor, {helper}});
  report.servers.push_back({"web", "shared", "echo", {"127.0.0.1:80"}, 0, {}});
  report.listeners.push_back(
      {"127.0.0.1:80",
       "web",
       6,
       {{1, false, AcceptQueueLength{2, 128}}, {2, true, AcceptQueueLength{1, 128}}}});
  report.listeners.push_back({"unix:/x", "", std::nullopt, {{3, false, std::nullopt}}});
  return report;
}

TEST(StatusJson, HasWhatIsKnownOfAWorkerWithUnits) {
  const std::string json = status_json(full_report());

  EXPECT_THAT(json, HasSubstr(R"("slot":3,"pid":812,"state":"ready","uptime_ms":5500,)"));
  EXPECT_THAT(json, HasSubstr(R"("live":41,"streams":1700,"accepted":97,)"));
  EXPECT_THAT(json, HasSubstr(R"("turns":123456,"loop_max_us":9000,"loop_p99_us":450)"));
}

TEST(StatusJson, HasTheLastCrash) {
  EXPECT_THAT(
      status_json(full_report()),
      HasSubstr(
          R"("last_crash":{"time":"2026-11-21T10:00:00.123Z","age_ms":60000,"pid":811,"signal":"SEGV",)"
          R"x("how":"was killed by signal 11 (SIGSEGV)","module":"bad.so","address":"0x10",)x"
          R"("backtrace":["0x1 bad.so+0x1","0x2 main+0x2"]})"));
}

TEST(StatusJson, SaysNullOfWhatIsNotKnown) {
  StatusReport report = full_report();
  auto& crash = *report.generations[0].workers[0].process.last_crash;
  crash.report.reset();
  crash.signal.clear();
  report.generations[0].acceptor.reset();
  const std::string json = status_json(report);

  EXPECT_THAT(json, HasSubstr(R"("signal":null,)"));
  EXPECT_THAT(json, HasSubstr(R"("module":null,"address":null,"backtrace":[])"));
  EXPECT_THAT(json, HasSubstr(R"("acceptor":null)"));
  EXPECT_THAT(json,
              HasSubstr(R"({"address":"unix:/x","server":null,"half_open":null,)"
                        R"("sockets":[{"id":3,"surplus":false,"queued":null,"backlog":null}]})"));
}

TEST(StatusTable, HasARowWithStreamsForEachWorker) {
  const std::string table = status_table(full_report());

  EXPECT_THAT(table, HasSubstr("generation 5 serving, balance 1.25\n"));
  EXPECT_THAT(table, HasSubstr("  streams  "));
  EXPECT_THAT(table, testing::ContainsRegex(
                         "   3 +812  ready +5 +41 +1700 +97 +0 +123456 +2 +450 us +9000 us\n"));
}

TEST(StatusTable, HasTheAcceptor) {
  EXPECT_THAT(status_table(full_report()),
              HasSubstr("  acceptor: pid 900, ready, up 3 s, accepted 0, empty wake-ups 0, not "
                        "passed on yet 2, restarts 0\n"));
}

TEST(StatusTable, HasTheLastCrashWithItsFrames) {
  EXPECT_THAT(status_table(full_report()),
              HasSubstr("  last crash of slot 3: pid 811 was killed by signal 11 (SIGSEGV), 60 s "
                        "ago, in module bad.so\n    0x1 bad.so+0x1\n    0x2 main+0x2\n"));
}

TEST(StatusTable, HasTheQueuesOfEachListener) {
  const std::string table = status_table(full_report());

  EXPECT_THAT(table, HasSubstr("listen 127.0.0.1:80: server web, 2 sockets, 3 of 256 wait to be "
                               "accepted, 6 half-open\n"));
  EXPECT_THAT(table, HasSubstr("listen unix:/x: server -, 1 socket, queue not known\n"));
}

TEST(Balance, IsTheLargestShareOverTheMean) {
  EXPECT_DOUBLE_EQ(balance_of({5, 5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(balance_of({20, 0, 0, 0}), 4);
  EXPECT_DOUBLE_EQ(balance_of({0, 0}), 0);
  EXPECT_DOUBLE_EQ(balance_of({}), 0);
}

TEST(Balance, OfWorkersGoneWildIsANumber) {
  const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_DOUBLE_EQ(balance_of({most, 1}), 2);
  EXPECT_DOUBLE_EQ(balance_of({most, most}), 1);
}

class SeatReadingTest : public testing::Test {
 protected:
  SeatReading read() { return read_seat(seat_, {Millis{5'000}, Millis{1'000}, 100, 10}); }
  Seat seat_;
};

TEST_F(SeatReadingTest, IsWhatAHealthyProcessWrote) {
  seat_.heartbeat_ms = 4'900;
  seat_.live = 99;
  seat_.streams = 9;
  seat_.loop_max_us = 30;
  seat_.loop_p99_us = 20;

  EXPECT_EQ(read().heartbeat_age, Millis{100});
  EXPECT_EQ(read().live, 99U);
  EXPECT_EQ(read().streams, 9U);
  EXPECT_EQ(read().loop_max_us, 30U);
  EXPECT_EQ(read().loop_p99_us, 20U);
}

TEST_F(SeatReadingTest, OfOneGoneWildIsWithinWhatCanBe) {
  seat_.heartbeat_ms = std::numeric_limits<std::int64_t>::min();
  seat_.live = std::numeric_limits<std::uint32_t>::max();
  seat_.streams = std::numeric_limits<std::uint32_t>::max();
  seat_.loop_max_us = 30;
  seat_.loop_p99_us = 31;

  EXPECT_EQ(read().heartbeat_age, Millis{4'000}) << "its whole life";
  EXPECT_EQ(read().live, 100U);
  EXPECT_EQ(read().streams, 10U);
  EXPECT_EQ(read().loop_p99_us, 30U);
  seat_.heartbeat_ms = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(read().heartbeat_age, Millis{0});
}

}  // namespace
}  // namespace drover

// What a module's mistakes cost, and who is told: each in one worker beside clients of the same
// module and of another, who are not to notice. man/drover-module.3, MISBEHAVIOUR.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/client.h"
#include "tests/support/daemon.h"
#include "tests/support/proc.h"

namespace drover::test {
namespace {

const std::string kServers =
    "\n[server wrong]\nlisten = 127.0.0.1:{port}\nprotocol = misdeed\nwrite_timeout = 1s\n" +
    echo_server("exclusive", "127.0.0.1:{port2}");

const std::string kConfig =
    config("workers = 1\nload = " + built("test-modules/misdeed.so") + "\nerror_log = stderr info",
           kServers);

// What becomes of the connection that asked.
enum class Fate { kLives, kEnds, kIsReset };

struct Misdeed {
  const char* name;
  std::vector<std::string> messages;  // one after the other
  const char* answer;                 // what the client gets for it
  Fate fate;
  const char* log;                                      // null: nobody is told by the log
  std::int64_t Counters::*counted = nullptr;            // rises
  void (*provoke)(Client& culprit, Daemon&) = nullptr;  // what makes it happen
};

void half_close(Client& culprit, Daemon& /*daemon*/) { culprit.half_close(); }
void leave(Client& culprit, Daemon& /*daemon*/) { culprit.close(); }
void connect_another(Client& /*culprit*/, Daemon& daemon) {
  const Client::Next next = Client(Endpoint::v4(daemon.port())).next();
  EXPECT_TRUE(next == Client::Next::kEnd || next == Client::Next::kError);
}
void read_the_flood(Client& culprit, Daemon& /*daemon*/) {
  static_cast<void>(culprit.receive_all());
}

std::vector<Misdeed> misdeeds() {
  const std::string much(200'000, 'h');
  return {
      {"throwing_in_on_open",
       {"throw open\n"},
       "",
       Fate::kLives,
       "exception: asked to throw in open",
       nullptr,
       connect_another},
      {"throwing_in_on_data",
       {"throw data\n"},
       "",
       Fate::kEnds,
       "exception: asked to throw in data"},
      {"throwing_in_on_eof",
       {"throw eof\n"},
       "",
       Fate::kEnds,
       "exception: asked to throw in eof",
       nullptr,
       half_close},
      {"throwing_in_on_timer",
       {"throw timer\n"},
       "",
       Fate::kEnds,
       "exception: asked to throw in timer"},
      {"throwing_in_on_writable",
       {"throw writable\n"},
       "",
       Fate::kEnds,
       "exception: asked to throw in writable",
       nullptr,
       read_the_flood},
      {"throwing_in_on_close",
       {"throw close\n"},
       "",
       Fate::kEnds,
       "exception: asked to throw in close",
       nullptr,
       leave},
      {"throwing_in_on_worker_timer",
       {"throw worker_timer\n"},
       "",
       Fate::kLives,
       "exception: asked to throw in worker_timer"},
      {"throwing_in_on_doorbell",
       {"throw doorbell\n"},
       "",
       Fate::kLives,
       "exception: asked to throw in doorbell"},
      {"throwing_in_on_batch_end",
       {"throw batch_end\n"},
       "",
       Fate::kLives,
       "exception: asked to throw in batch_end"},
      {"throwing_in_on_connect_failed",
       {"throw connect_failed\n"},
       "",
       Fate::kLives,
       "exception: asked to throw in connect_failed"},
      {"answering_more_than_it_got",
       {"answer 999\n"},
       "",
       Fate::kEnds,
       "module failed server=wrong module=misdeed peer=127.0.0.1:"},
      {"answering_a_negative_count",
       {"answer -7\n"},
       "",
       Fate::kEnds,
       "answered=-7 of=10: closing"},
      {"consuming_nothing_for_ever",
       {"hoard\n", much},
       "",
       Fate::kIsReset,
       "input too long server=wrong peer=127.0.0.1:"},
      {"writing_after_close", {"write_after_close\n"}, "before", Fate::kEnds, nullptr},
      {"writing_to_a_handle_that_has_gone",
       {"stale\n"},
       "",
       Fate::kLives,
       nullptr,
       &Counters::stale_handles},
      {"starting_a_million_timers",
       {"timers 1000000\n"},
       "65536\n",
       Fate::kLives,
       "module message server=wrong module=misdeed: has 65536 timers already"},
      {"blocking_for_a_second", {"block 1000\n"}, "", Fate::kLives, "slow turn: 1"},
      {"counting_what_it_has_not_declared",
       {"miscount\n"},
       "",
       Fate::kLives,
       "its table has no counter 7: not counted"},
  };
}

class MisdeedTest : public testing::TestWithParam<Misdeed> {
 protected:
  // The daemon, with the fate of `culprit_` told.
  void expect_fate(Fate fate) {
    if (culprit_.fd() < 0) return;  // it has left itself
    if (fate == Fate::kLives) {
      EXPECT_EQ(culprit_.exchange("and on"), "and on");
    } else {
      const Client::Next next = culprit_.next();
      EXPECT_TRUE(next == Client::Next::kEnd ||
                  (fate == Fate::kIsReset && next == Client::Next::kError));
    }
  }

  Daemon daemon_{{.config = kConfig}};
  Client culprit_{Endpoint::v4(daemon_.port())};
  Client beside_{Endpoint::v4(daemon_.port())};
  Client elsewhere_{Endpoint::v4(daemon_.port(2))};
};

TEST_P(MisdeedTest, CostsWhatThePageSaysAndTheOthersLive) {
  const Misdeed& misdeed = GetParam();
  const pid_t worker = daemon_.worker_pid(0);
  ASSERT_EQ(beside_.exchange("before"), "before");
  ASSERT_EQ(elsewhere_.exchange("before"), "before");
  const Counters before = daemon_.status().totals;

  for (const std::string& message : misdeed.messages) {
    culprit_.send_all(message);
    EXPECT_EQ(beside_.exchange("meanwhile"), "meanwhile");  // and this message is its own
  }
  EXPECT_EQ(culprit_.receive(std::string_view(misdeed.answer).size()), misdeed.answer);
  if (misdeed.provoke != nullptr) misdeed.provoke(culprit_, daemon_);

  expect_fate(misdeed.fate);
  EXPECT_TRUE(misdeed.log == nullptr || daemon_.wait_for_log(misdeed.log)) << misdeed.log;
  const Counters now = daemon_.status().totals;
  EXPECT_TRUE(misdeed.counted == nullptr || now.*misdeed.counted > before.*misdeed.counted);
  EXPECT_EQ(beside_.exchange("after"), "after");
  EXPECT_EQ(elsewhere_.exchange("after"), "after");
  EXPECT_EQ(daemon_.worker_pid(0), worker);
}

INSTANTIATE_TEST_SUITE_P(All, MisdeedTest, testing::ValuesIn(misdeeds()),
                         [](const auto& row) { return row.param.name; });

class Misbehaviour : public testing::Test {
 protected:
  Daemon daemon_{{.config = kConfig}};
  Client culprit_{Endpoint::v4(daemon_.port())};
  Client elsewhere_{Endpoint::v4(daemon_.port(2))};
};

TEST_F(Misbehaviour, WritingToConnectionsOfAnotherModuleReachesNobodyAndIsCounted) {
  ASSERT_EQ(elsewhere_.exchange("before"), "before");
  culprit_.send_all("foreign\n");
  ASSERT_EQ(culprit_.exchange("done"), "done");

  EXPECT_EQ(elsewhere_.exchange("mine alone"), "mine alone");
  EXPECT_GE(daemon_.status().totals.stale_handles, 59);
}

TEST_F(Misbehaviour, BlockingForASecondIsToldWithTheServerAndShowsInStatus) {
  ASSERT_EQ(elsewhere_.exchange("before"), "before");
  culprit_.send_all("block 1000\n");
  const auto start = Clock::now();
  ASSERT_EQ(culprit_.exchange("late"), "late");

  EXPECT_GE(since(start), Millis{900});
  ASSERT_TRUE(daemon_.wait_for_log("slow turn: 1"));
  EXPECT_TRUE(daemon_.log_contains(" ms server=wrong module=misdeed suppressed=0"));
  EXPECT_GE(daemon_.status().serving()->workers[0].loop_max_us, 1'000'000);
}

TEST_F(Misbehaviour, BlockingOftenIsToldSeldom) {
  for (int i = 0; i < 3; ++i) {
    culprit_.send_all("block 510\n");
    ASSERT_EQ(culprit_.exchange("on"), "on");
  }

  ASSERT_TRUE(daemon_.wait_for_log("slow turn: "));
  const std::string log = daemon_.log();
  EXPECT_EQ(log.find("slow turn: "), log.rfind("slow turn: "));
}

TEST_F(Misbehaviour, WritingWithoutEndToADeafPeerCostsMemoryUntilTheWriteTimeout) {
  const pid_t worker = daemon_.worker_pid(0);
  const std::int64_t before = rss_bytes(worker);
  culprit_.send_all("flood 64\n");

  ASSERT_TRUE(wait_until([&] { return rss_bytes(worker) - before > 48 << 20; }));
  EXPECT_EQ(elsewhere_.exchange("not delayed"), "not delayed");
  EXPECT_TRUE(daemon_.wait_for_status([](const DaemonStatus& now) { return now.live() == 1; }));
  EXPECT_EQ(daemon_.worker_pid(0), worker);
}

TEST_F(Misbehaviour, ThrowingInOnDrainEndsThatConnectionOfTheDrainingWorker) {
  Client stays(Endpoint::v4(daemon_.port()));
  ASSERT_EQ(stays.exchange("x"), "x");
  culprit_.send_all("throw drain\n");
  ASSERT_EQ(culprit_.exchange("armed"), "armed");
  ASSERT_EQ(daemon_.reload(kConfig).status, 0);

  EXPECT_TRUE(daemon_.wait_for_log("exception: asked to throw in drain"));
  EXPECT_EQ((culprit_.next(Millis{300}) == Client::Next::kEnd) +
                (stays.next(Millis{300}) == Client::Next::kEnd),
            1)
      << "the first that is told";
}

TEST_F(Misbehaviour, CrashingCostsTheWorkerWhichIsRefilledAndTheModuleIsNamed) {
  ASSERT_EQ(elsewhere_.exchange("before"), "before");
  const pid_t worker = daemon_.worker_pid(0);
  culprit_.send_all("crash\n");

  EXPECT_NE(culprit_.next(), Client::Next::kBytes);
  const Client::Next next = elsewhere_.next();
  EXPECT_TRUE(next == Client::Next::kEnd || next == Client::Next::kError) << "of the same worker";
  EXPECT_TRUE(daemon_.wait_for_log("worker 0 gen 1 ready"));
  EXPECT_NE(daemon_.worker_pid(0), worker);
  EXPECT_TRUE(daemon_.log_contains("was killed by signal 11 (SIGSEGV)"));
  EXPECT_TRUE(daemon_.log_contains("misdeed.so+0x"));
  EXPECT_EQ(Client(Endpoint::v4(daemon_.port(2))).exchange("new"), "new");
}

}  // namespace
}  // namespace drover::test

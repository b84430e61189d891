// The key-value module in the real daemon: one store for all workers, and for all that may happen
// to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "modules/kvs/kv1/meta.h"
#include "tests/integration/kvs_daemon.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;
using testing::HasSubstr;

TEST(Kvs, IsOneStoreForAllWorkers) {
  Daemon daemon({.config = kvs_config()});
  std::vector<KvClient> clients = clients_of_workers(daemon, 3);
  ASSERT_EQ(clients.size(), 3U);

  EXPECT_EQ(clients[0].status(kSet, "/a", "1"), kOk);
  EXPECT_EQ(clients[1].status(kSet, "/a/b", "2"), kOk);

  EXPECT_EQ(clients[1].get("/a"), "1");
  const Said longest = clients[2].ask(kLpm, "/a/b/c");
  EXPECT_EQ(longest.key, "/a/b");
  EXPECT_EQ(longest.value, "2");
  EXPECT_EQ(clients[0].stat("items"), 2U);
}

TEST(Kvs, AnswersAPipelineInOneGo) {
  Daemon daemon({.config = kvs_config("", 1)});
  KvClient client(daemon);
  std::string many;
  for (std::uint32_t i = 1; i <= 5'000; ++i) {
    many +=
        frame(kSet, 0, std::to_string(i), std::to_string(i)) + frame(kGet, i, std::to_string(i));
  }
  client.say(many);
  for (std::uint32_t i = 1; i <= 5'000; ++i) {
    const auto said = client.hear();
    ASSERT_TRUE(said);
    ASSERT_EQ(said->rid, i);
    ASSERT_EQ(said->value, std::to_string(i));
  }
}

TEST(Kvs, GivesLargeValuesOneAfterTheOther) {
  Daemon daemon({.config = kvs_config("", 1)});
  KvClient client(daemon);
  const std::string large(1'000'000, 'v');
  ASSERT_EQ(client.status(kSet, "k", large), kOk);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(client.get("k"), large) << i;
  std::string many;
  for (std::uint32_t i = 1; i <= 50; ++i) many += frame(kGet, i, "k");
  client.say(many);
  for (std::uint32_t i = 1; i <= 50; ++i) {
    const auto said = client.hear();
    ASSERT_TRUE(said);
    ASSERT_EQ(said->rid, i);
    ASSERT_EQ(said->value.size(), large.size());
  }
}

void fill(KvClient& client, int items, std::size_t size = 100) {
  std::string many;
  for (int i = 0; i < items; ++i)
    many += frame(kSet, 0, "k" + std::to_string(i), std::string(size, 'v'));
  client.say(many);
  EXPECT_EQ(client.status(kPing), kOk);
}

TEST(Kvs, ScansAndDeletesByPrefixInSlices) {
  Daemon daemon({.config = kvs_config("", 1)});
  KvClient client(daemon);
  fill(client, 20'000);
  EXPECT_EQ(client.stat("items"), 20'000U);

  std::string page;
  append_number(page, std::uint64_t{0});
  append_number(page, std::uint32_t{1'000'000});
  client.say(frame(kScan, 77, "k", page));
  std::size_t items = 0;
  for (auto said = client.hear(); said && said->status == kPartial; said = client.hear()) ++items;
  EXPECT_EQ(items, 20'000U);

  EXPECT_EQ(number_at<std::uint64_t>(client.ask(kDelPrefix, "k1").value), 11'111U);
  EXPECT_EQ(client.stat("items"), 8'889U);
  EXPECT_EQ(client.status(kFlush), kOk);
  EXPECT_EQ(client.stat("items"), 0U);
}

// A connection of the first moment may still be the former generation's, and end after an answer.
bool finds(Daemon& daemon, std::uint64_t items) {
  return wait_until([&] {
    try {
      KvClient client(daemon);
      return client.stat("items") == items && client.get("k0") == std::string(100, 'v');
    } catch (const std::exception&) {
      return false;
    }
  });
}

TEST(Kvs, KeepsItsDataOverAReload) {
  Daemon daemon({.config = kvs_config()});
  {
    KvClient former(daemon);
    fill(former, 1'000);
  }
  ASSERT_EQ(daemon.reload(kvs_config("kvs.match = segment")).status, 0);
  ASSERT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));

  std::vector<KvClient> clients = clients_of_workers(daemon, 3);
  for (KvClient& client : clients) EXPECT_EQ(client.get("k999"), std::string(100, 'v'));
  EXPECT_TRUE(finds(daemon, 1'000));
}

TEST(Kvs, KeepsItsDataOverAnUpgrade) {
  Daemon daemon({.config = kvs_config(), .daemonize = true});
  {
    KvClient client(daemon);
    fill(client, 1'000);
  }
  const CommandResult upgrade = daemon.run_command({"-s", "upgrade"});
  ASSERT_EQ(upgrade.status, 0) << upgrade.both();

  EXPECT_TRUE(finds(daemon, 1'000));
}

TEST(Kvs, KeepsItsDataWhenWorkersAreKilledWhileTheyWrite) {
  Daemon daemon({.config = kvs_config("", 2)});
  int stored = 0;
  for (int kill = 0; kill < 6; ++kill) {
    KvClient client(daemon);
    fill(client, 100);
    for (int i = 0; i < 200; ++i, ++stored)
      ASSERT_EQ(client.status(kSet, "n" + std::to_string(stored), std::to_string(stored)), kOk);
    client.say(frame(kSet, 0, "half", std::string(1'000, 'h')) + announced(1, "cut", 1'000));
    ASSERT_TRUE(wait_until([&] { return daemon.worker_pid(kill % 2) != 0; }));
    kill_now(daemon.worker_pid(kill % 2));
    ASSERT_TRUE(daemon.wait_for_status([&](const DaemonStatus& now) {
      return !now.zones.empty() && now.zones[0].unclean_ends == kill + 1;
    }));
  }
  KvClient client(daemon);
  for (int i = 0; i < stored; ++i)
    ASSERT_EQ(client.get("n" + std::to_string(i)), std::to_string(i)) << i;
  EXPECT_EQ(client.status(kGet, "cut"), kNotFound);
}

TEST(Kvs, FinishesAFrameUnderWayWhenItsWorkerDrains) {
  Daemon daemon({.config = kvs_config("", 1, "worker_shutdown_timeout = 60s")});
  KvClient in_frame(daemon);
  KvClient idle(daemon);
  EXPECT_EQ(idle.status(kPing), kOk);
  const std::string whole = frame(kSet, 1, "key", "value");
  in_frame.say(frame(kPing, 5) + whole.substr(0, 12));
  ASSERT_EQ(in_frame.hear()->rid, 5U);

  ASSERT_EQ(daemon.reload(kvs_config("", 1, "worker_shutdown_timeout = 60s")).status, 0);

  EXPECT_FALSE(idle.hear()) << "who waits for nothing is let go";
  in_frame.say(whole.substr(12) + frame(kGet, 2, "key"));
  EXPECT_EQ(in_frame.hear()->status, kOk);
  EXPECT_EQ(in_frame.hear()->status, kShuttingDown);
  EXPECT_FALSE(in_frame.hear());
  in_frame.socket().close();
  idle.socket().close();
  KvClient next(daemon);
  EXPECT_EQ(next.get("key"), "value");
  EXPECT_TRUE(
      daemon.wait_for_status([](const DaemonStatus& now) { return now.generations.size() == 1; }));
}

// The worker is told to go before it has seen what its clients have sent: they lie side by side
// when it wakes.
TEST(Kvs, AnswersEveryRequestThatItsClientsSentWhenItsWorkerDrained) {
  constexpr std::size_t kClients = 50;
  constexpr std::uint32_t kPipeline = 100;
  const std::string text = kvs_config("", 1, "hang_timeout = 60s");
  Daemon daemon({.config = text});
  std::vector<KvClient> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(daemon);
    ASSERT_EQ(clients.back().status(kPing), kOk);
  }
  const pid_t worker = daemon.worker_pid(0);
  stop(worker);
  ASSERT_EQ(daemon.reload(text).status, 0);
  std::string pipeline = frame(kPing, 0);  // refused, whoever serves it
  for (std::uint32_t i = 1; i <= kPipeline; ++i) pipeline += frame(kPing, i);
  for (KvClient& client : clients) client.say(pipeline);
  kill(worker, SIGCONT);

  int refused = 0;
  for (KvClient& client : clients) {
    for (std::uint32_t i = 0; i <= kPipeline; ++i) {
      const auto said = client.hear();
      ASSERT_TRUE(said) << "the answer to request " << i << " is lost";
      EXPECT_EQ(said->rid, i);
      EXPECT_TRUE(said->status == kShuttingDown || said->status == (i == 0 ? kBadArgument : kOk));
      refused += said->status == kShuttingDown ? 1 : 0;
    }
    EXPECT_FALSE(client.hear()) << "a clean end";
  }
  EXPECT_GT(refused, 0) << "or nothing has been tried";
}

TEST(Kvs, SweepsWhatHasExpired) {
  Daemon daemon({.config = kvs_config("", 2)});
  KvClient client(daemon);
  std::string meta;
  append_meta(meta, {.ttl_ms = 50});
  for (int i = 0; i < 100; ++i)
    ASSERT_EQ(client.status(kSetMeta, "k" + std::to_string(i), meta + "v"), kOk);
  EXPECT_EQ(client.status(kSet, "stays", "v"), kOk);

  EXPECT_TRUE(wait_until([&] { return client.stat("items") == 1; }));
  EXPECT_EQ(client.status(kGet, "k0"), kNotFound);
  EXPECT_EQ(client.get("stays"), "v");
}

TEST(Kvs, SweepsOnWhenTheWorkerThatDidItIsKilled) {
  Daemon daemon({.config = kvs_config("", 2)});
  for (int slot = 0; slot < 2; ++slot) {
    ASSERT_TRUE(wait_until([&] { return daemon.worker_pid(slot) != 0; }));
    kill_now(daemon.worker_pid(slot));
  }
  KvClient client(daemon);
  EXPECT_EQ(client.status(kSet, "k", "v"), kOk);
  EXPECT_EQ(client.status(kTouch, "k", std::string("\0\0\0\0\0\0\0\1", 8)), kOk);
  EXPECT_TRUE(wait_until([&] { return client.stat("items") == 0; }));
}

TEST(Kvs, IsSeenInTheStatus) {
  Daemon daemon({.config = kvs_config("", 2)});
  KvClient client(daemon);
  fill(client, 10);
  EXPECT_EQ(client.get("k1"), std::string(100, 'v'));
  EXPECT_TRUE(daemon.wait_for_status([](const DaemonStatus& now) {
    return now.metric("kv", "items") == 10 && now.metric("kv", "writes") == 10 &&
           now.metric("kv", "hits") == 1;
  }));
}

TEST(Kvs, WantsItsToken) {
  Daemon daemon({.config = kvs_config("kvs.auth = open sesame")});
  KvClient client(daemon);
  EXPECT_EQ(client.status(kGet, "k"), kDenied);
  EXPECT_EQ(client.status(kAuth, "", "open barley"), kDenied);
  EXPECT_EQ(client.status(kAuth, "", "open sesame"), kOk);
  EXPECT_EQ(client.status(kGet, "k"), kNotFound);
}

struct Wrong {
  const char* name;
  std::string config;
  std::vector<std::string> words;
};
void PrintTo(const Wrong& row, std::ostream* out) { *out << row.name; }
class KvsConfig : public ::testing::TestWithParam<Wrong> {};

TEST_P(KvsConfig, ThatIsWrongIsRefusedWithTheReasonAndTheOldOneGoesOn) {
  Daemon daemon({.config = kvs_config()});
  KvClient client(daemon);
  EXPECT_EQ(client.status(kSet, "k", "v"), kOk);

  const CommandResult refused = daemon.reload(GetParam().config);

  EXPECT_EQ(refused.status, 1);
  for (const std::string& words : GetParam().words) EXPECT_THAT(refused.both(), HasSubstr(words));
  KvClient next(daemon);
  EXPECT_EQ(next.get("k"), "v");
}

INSTANTIATE_TEST_SUITE_P(
    All, KvsConfig,
    ::testing::Values(
        Wrong{"key_limit", kvs_config("kvs.max_key = 64k"), {"drover.conf:", "kvs.max_key"}},
        Wrong{"value_limit", kvs_config("kvs.max_value = 65m"), {"drover.conf:", "kvs.max_value"}},
        Wrong{"match", kvs_config("kvs.match = words"), {"drover.conf:", "byte", "segment"}},
        Wrong{"eviction", kvs_config("kvs.eviction = lru"), {"noeviction", "clock"}},
        Wrong{"output", kvs_config("kvs.max_output = 1k"), {"drover.conf:", "kvs.max_output"}},
        Wrong{"budget",
              kvs_config("kvs.max_value = 64m\nkvs.memory_budget = 32m"),
              {"kvs.memory_budget", "at least 67110936"}},
        Wrong{"no_zone",
              config("load = " + built("modules/kvs.so"),
                     "[server kv]\nlisten = 127.0.0.1:{port}\nprotocol = kvs\n"),
              {"kvs.zone"}},
        Wrong{"unknown_zone",
              kvs_config("", 2, "", "[zone other]\nsize = 1m\n"),
              {"zone data refused: the configuration has no such section"}},
        Wrong{"small_zone",
              config("load = " + built("modules/kvs.so"),
                     "[server kv]\nlisten = 127.0.0.1:{port}\nprotocol = kvs\nkvs.zone = tiny\n"
                     "[zone tiny]\nsize = 64k\n"),
              {"kvs.zone: zone tiny: "}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace drover::test

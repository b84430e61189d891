// What clients of the key-value module may cost: each limit in the real daemon.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/integration/kvs_daemon.h"
#include "tests/support/sanitizer.h"

namespace drover::test {
namespace {

using namespace kvs::kv1;

constexpr std::uint32_t k64MiB = 64U << 20;

TEST(KvsLimits, AThousandConnectionsThatAnnounce64MiBCostNothing) {
  constexpr std::size_t kClients = 1'000;
  Daemon daemon({.config = kvs_config("kvs.max_value = 64m", 1, "worker_connections = 2000"),
                 .environment = without_quarantine()});
  const pid_t worker = daemon.worker_pid(0);
  std::vector<Client> clients;
  KvClient last(daemon);
  EXPECT_EQ(last.status(kPing), kOk);
  const std::int64_t before = private_dirty_bytes(worker);

  for (std::size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(Endpoint::v4(daemon.port()));
    clients.back().send_all(announced(1, "key", k64MiB));
  }
  ASSERT_TRUE(wait_until([&] { return last.stat("worker_memory_used") > 3ULL * k64MiB; }));
  ASSERT_TRUE(daemon.wait_for_status(
      [&](const DaemonStatus& now) { return now.live() == std::int64_t{kClients} + 1; }));
  EXPECT_EQ(last.status(kPing), kOk);

  const std::int64_t each = (private_dirty_bytes(worker) - before) / std::int64_t{kClients};
  EXPECT_LT(each, kUnderAsan ? 8'000 : 2'000);
  EXPECT_EQ(last.status(kSet, "k", "v"), kOk) << "who is small is served";
}

TEST(KvsLimits, ALongPipelineOfAClientThatDoesNotReadCostsABoundedPieceOfMemory) {
  constexpr std::size_t kPipeline = std::size_t{100} << 20;
  Daemon daemon({.config = kvs_config("", 1), .environment = without_quarantine()});
  KvClient client(daemon);
  EXPECT_EQ(client.status(kSet, "k", std::string(10'000, 'v')), kOk);
  const pid_t worker = daemon.worker_pid(0);
  const std::int64_t before = private_dirty_bytes(worker);
  std::string requests;
  while (requests.size() < (1U << 20)) requests += frame(kGet, 1, "k");

  Client deaf(Endpoint::v4(daemon.port()));
  std::size_t sent = 0;
  auto taken_at = Clock::now();
  while (sent < kPipeline && since(taken_at) < Millis{500}) {
    const auto taken = ::send(deaf.fd(), requests.data(), requests.size(), MSG_NOSIGNAL);
    if (taken > 0) {
      sent += static_cast<std::size_t>(taken);
      taken_at = Clock::now();
    } else {
      std::this_thread::sleep_for(kGlance);
    }
  }

  EXPECT_LT(sent, kPipeline) << "reading has stopped";
  EXPECT_LT(private_dirty_bytes(worker) - before, 8 << 20);
  EXPECT_EQ(client.get("k").size(), 10'000U) << "and nobody else waits";
}

TEST(KvsLimits, AFullStoreSaysSoAndKeepsWhatItHas) {
  Daemon daemon({.config = kvs_config("", 2, "", "[zone data]\nsize = 4m\n")});
  KvClient client(daemon);
  ASSERT_EQ(client.status(kSet, "old", "value"), kOk);
  int stored = 0;
  int status = kOk;
  for (; status == kOk && stored < 10'000; ++stored)
    status = client.status(kSet, "k" + std::to_string(stored), std::string(10'000, 'v'));
  EXPECT_EQ(status, kNoSpace);
  EXPECT_GT(stored, 200);

  EXPECT_EQ(client.status(kSet, "old", std::string(1'000'000, 'v')), kNoSpace);

  EXPECT_EQ(client.get("old"), "value");
  for (int i = 0; i + 1 < stored; ++i)
    ASSERT_EQ(client.get("k" + std::to_string(i)).size(), 10'000U);
  EXPECT_EQ(client.status(kFlush), kOk);
  EXPECT_EQ(client.status(kSet, "old", std::string(1'000'000, 'v')), kOk);
}

TEST(KvsLimits, AFullStoreThatEvictsGoesOn) {
  Daemon daemon({.config = kvs_config("kvs.eviction = clock", 2, "", "[zone data]\nsize = 8m\n")});
  KvClient client(daemon);
  for (int i = 0; i < 3'000; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(client.status(kSet, key, std::string(10'000, 'v')), kOk) << i;
    ASSERT_EQ(client.get(key).size(), 10'000U) << i;
  }
  EXPECT_GT(client.stat("evicted"), 1'000U);
}

TEST(KvsLimits, WhatIsTooLongIsSkippedAndTheConnectionStays) {
  Daemon daemon({.config = kvs_config("kvs.max_key = 10\nkvs.max_value = 1k", 1)});
  KvClient client(daemon);
  EXPECT_EQ(client.status(kSet, std::string(60'000, 'k'), "v"), kKeyLength);
  EXPECT_EQ(client.status(kSet, "k", std::string(4'096, 'v')), kValueTooLarge);
  EXPECT_EQ(client.status(kSet, "k", std::string(1'024, 'v')), kOk);
}

TEST(KvsLimits, AHopelessValueIsAnsweredAndTheAnswerIsNotLost) {
  Daemon daemon({.config = kvs_config("kvs.max_value = 1k", 1)});
  KvClient client(daemon);
  client.say(frame(kPing, 1) + frame(kSet, 2, "k", std::string(200'000, 'v')));
  EXPECT_EQ(client.hear()->rid, 1U);
  EXPECT_EQ(client.hear()->status, kValueTooLarge);
  EXPECT_FALSE(client.hear());
}

TEST(KvsLimits, BytesThatAreNoFrameEndTheConnectionBehindTheAnswersBefore) {
  Daemon daemon({.config = kvs_config("", 1)});
  KvClient other(daemon);
  other.say(frame(kPing, 1) + frame(0xff, 9));
  EXPECT_EQ(other.hear()->rid, 1U);
  const auto said = other.hear();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->status, kBadFrame);
  EXPECT_FALSE(said->value.empty());
  EXPECT_FALSE(other.hear());
}

TEST(KvsLimits, AFrameThatTakesTooLongEndsTheConnection) {
  Daemon daemon({.config = kvs_config("kvs.frame_timeout = 200ms", 1)});
  KvClient client(daemon);
  KvClient patient(daemon);
  EXPECT_EQ(patient.status(kPing), kOk);
  client.say(frame(kSet, 1, "k", "value").substr(0, 14));
  const auto said = client.hear();
  ASSERT_TRUE(said);
  EXPECT_EQ(said->status, kBadFrame);
  EXPECT_FALSE(client.hear());
  EXPECT_EQ(patient.status(kPing), kOk) << "who sends nothing at all may stay";
}

TEST(KvsLimits, ASilentConnectionEndsAfterTheServersIdleTimeout) {
  Daemon daemon({.config = kvs_config("idle_timeout = 300ms", 1)});
  KvClient client(daemon);
  EXPECT_EQ(client.status(kPing), kOk);
  EXPECT_FALSE(client.hear());
}

TEST(KvsLimits, AFrameThatTheEndCutsIsCounted) {
  Daemon daemon({.config = kvs_config("", 1)});
  {
    KvClient client(daemon);
    client.say(frame(kSet, 1, "k", "value").substr(0, 14));
    client.socket().half_close();
    EXPECT_FALSE(client.hear());
  }
  EXPECT_TRUE(daemon.wait_for_status(
      [](const DaemonStatus& now) { return now.metric("kv", "cut_frames") == 1; }));
  KvClient client(daemon);
  EXPECT_EQ(client.status(kGet, "k"), kNotFound);
}

}  // namespace
}  // namespace drover::test

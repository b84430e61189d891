// The key-value module on a host without sockets or time: when a session that waits goes on.
#include <gtest/gtest.h>

#include "modules/kvs/kv1/frame.h"
#include "modules/kvs/kv1/meta.h"
#include "modules/kvs/maintenance.h"
#include "modules/kvs/store/shard.h"
#include "modules/kvs/store/statistics.h"
#include "modules/kvs/store/store.h"
#include "modules/sdk/testkit/testkit.hpp"

namespace drover::testkit {
namespace {

using namespace kvs::kv1;
using std::chrono::milliseconds;

std::string frame(std::uint8_t type, std::uint32_t rid, std::string_view key = {},
                  std::string_view value = {}) {
  std::string out;
  append_frame(out, {type, rid, key, value});
  return out;
}

std::vector<int> statuses(std::string_view bytes) {
  FrameReader reader(FrameReader::Side::kAnswers,
                     {.key_bytes = 1'000, .value_bytes = kLongestValue});
  std::vector<int> all;
  while (const auto received = reader.next(bytes)) all.push_back(received->frame.type);
  return all;
}

Host::Settings settings() {
  const std::int64_t mib = 1 << 20;
  return {{"zone", {"data"}},
          {"match", {"byte", 0}},
          {"max_key", {"2k", 2'048}},
          {"max_value", {"1m", mib}},
          {"max_inflight", {"4", 4}},
          {"max_output", {"512k", mib / 2}},
          {"frame_timeout", {"0", 0}},
          {"memory_budget", {"256m", 256 * mib}},
          {"auth", {""}},
          {"eviction", {"noeviction", 0}}};
}

struct KvsModule : ::testing::Test {
  explicit KvsModule(std::size_t mib = 4) : zone(std::make_shared<Host::Zone>(mib << 20)) {}

  std::shared_ptr<Host::Zone> zone;
  Host host{load(DROVER_BUILD_DIR "/modules/kvs.so"), settings(), {{"data", zone}}};
  drover_conn conn = host.accept();

  void ring_while_paused() {
    for (int i = 0; i < 20 && host.is_paused(conn); ++i) host.ring();
  }
  std::unique_ptr<kvs::Store> another_worker() {
    const std::span<std::byte> memory{zone->pages.front().bytes, zone->size_bytes};
    return kvs::Store::attach(memory).store;
  }
};

TEST_F(KvsModule, TriesAShardThatIsHeldByItsTimerAndThenSaysBusy) {
  const auto other = another_worker();
  ASSERT_NE(other, nullptr);
  std::string answers;
  {
    const kvs::LockedShard held(other->mapping(), other->mapping().shard_of(other->hash().of("k")));
    host.feed(conn, frame(kSet, 1, "k", "v") + frame(kPing, 2));
    EXPECT_TRUE(host.is_paused(conn));
    host.ring();
    EXPECT_EQ(host.read(conn), "");
    // Its patience is real time, and the host's is not.
    for (int i = 0; i < 1'000'000 && answers.empty(); ++i) {
      host.pass(milliseconds(1));
      answers = host.read(conn);
    }
  }
  EXPECT_EQ(statuses(answers), (std::vector<int>{kBusy, kOk}));
  EXPECT_FALSE(host.is_paused(conn));
}

struct KvsModuleOfManyShards : KvsModule {
  KvsModuleOfManyShards() : KvsModule(64) {}
};

TEST_F(KvsModuleOfManyShards, SweepsTheOthersWhileOneIsHeld) {
  const auto other = another_worker();
  const auto shard_of = [&](const std::string& key) {
    return other->mapping().shard_of(other->hash().of(key));
  };
  std::string meta;
  append_meta(meta, {.ttl_ms = 1});
  std::string sets;
  std::uint64_t held_items = 0;
  for (std::uint32_t i = 0; i < 60; ++i) {
    const std::string key = "k" + std::to_string(i);
    sets += frame(kSetMeta, i, key, meta + "v");
    held_items += shard_of(key) == shard_of("k0") ? 1 : 0;
  }
  host.feed(conn, sets);
  ring_while_paused();
  ASSERT_EQ(statistics(*other).items, 60U);
  ASSERT_LT(held_items, 30U);

  const kvs::LockedShard held(other->mapping(), shard_of("k0"));
  for (int i = 0; i < 1'000 && statistics(*other).items > held_items; ++i)
    host.pass(kvs::Maintenance::kEvery);

  EXPECT_EQ(statistics(*other).items, held_items);
}

TEST_F(KvsModule, WritesWhenTheShardIsGivenBack) {
  const auto other = another_worker();
  {
    const kvs::LockedShard held(other->mapping(), other->mapping().shard_of(other->hash().of("k")));
    host.feed(conn, frame(kSet, 1, "k", "v"));
  }
  host.ring();
  EXPECT_EQ(statuses(host.read(conn)), (std::vector<int>{kOk}));
  EXPECT_EQ(other->get("k")->value, "v");
}

TEST_F(KvsModule, GoesOnInTheNextTurnByItsOwnDoorbell) {
  std::string pings;
  for (std::uint32_t i = 1; i <= 10; ++i) pings += frame(kPing, i);
  host.feed(conn, pings);
  EXPECT_EQ(statuses(host.read(conn)).size(), 4U);
  EXPECT_EQ(host.rung(), (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(host.is_paused(conn));
  host.ring();
  host.ring();
  EXPECT_EQ(statuses(host.read(conn)).size(), 6U);
  EXPECT_FALSE(host.is_paused(conn));
  EXPECT_EQ(host.rung().size(), 2U) << "nobody waits";
}

TEST_F(KvsModule, ForgetsAConnectionThatEndsWhileItWaits) {
  std::string pings;
  for (std::uint32_t i = 1; i <= 10; ++i) pings += frame(kPing, i);
  host.feed(conn, pings);
  host.reset(conn);
  host.ring();
  EXPECT_EQ(host.live(), 0U);
  EXPECT_EQ(host.stale_calls(), 0);
}

TEST_F(KvsModule, GoesOnWhenAClientThatDidNotReadHasRead) {
  host.feed(conn, frame(kSet, 1, "k", std::string(250'000, 'v')));
  static_cast<void>(host.read(conn));
  host.set_deaf(conn, true);
  std::string gets;
  for (std::uint32_t i = 1; i <= 4; ++i) gets += frame(kGet, i, "k");
  host.feed(conn, gets);
  ring_while_paused();
  EXPECT_TRUE(host.is_paused(conn));
  host.set_deaf(conn, false);
  EXPECT_EQ(statuses(host.read(conn)), (std::vector<int>{kOk, kOk, kOk, kOk}));
  EXPECT_FALSE(host.is_paused(conn));
}

TEST_F(KvsModule, SendsALargeValueInPiecesAsItsClientReads) {
  constexpr std::size_t kSize = 1'000'000;
  host.feed(conn, frame(kSet, 1, "k", std::string(kSize, 'v')));
  static_cast<void>(host.read(conn));
  host.set_deaf(conn, true);
  host.feed(conn, frame(kPing, 1) + frame(kGet, 2, "k") + frame(kPing, 3));
  ring_while_paused();
  EXPECT_TRUE(host.is_paused(conn));
  std::string answers;
  for (int i = 0; i < 20 && host.is_paused(conn); ++i) {
    host.set_deaf(conn, false);
    answers += host.read(conn);
    host.set_deaf(conn, true);
    host.ring();
  }
  host.set_deaf(conn, false);
  EXPECT_EQ(statuses(answers + host.read(conn)), (std::vector<int>{kOk, kOk, kOk}));
}

// The kernel has taken all of it at once: nobody tells so, and nothing is waited for.
TEST_F(KvsModule, GoesOnAfterALargeAnswerThatLeftAtOnce) {
  host.feed(conn, frame(kSet, 1, "k", std::string(1'000'000, 'v')));
  host.feed(conn, frame(kGet, 2, "k") + frame(kPing, 3));
  ring_while_paused();
  EXPECT_EQ(statuses(host.read(conn)), (std::vector<int>{kOk, kOk, kOk}));
  EXPECT_FALSE(host.is_paused(conn));
  host.feed(conn, frame(kPing, 4));
  EXPECT_FALSE(host.is_paused(conn)) << "there is nothing to be held back";
}

// A budget that four deaf clients use up, and a client that asks then.
struct KvsModuleWithoutRoom : KvsModule {
  KvsModuleWithoutRoom() {
    host.feed(conn, frame(kSet, 1, "k", std::string(250'000, 'v')));
    for (drover_conn& each : slow) {
      each = small.accept();
      small.set_deaf(each, true);
      small.feed(each, frame(kGet, 1, "k"));
    }
  }
  static Host::Settings one_mebibyte() {
    Host::Settings all = settings();
    all["memory_budget"] = {"1m", 1 << 20};
    all["max_inflight"] = {"100", 100};
    return all;
  }
  Host small{load(DROVER_BUILD_DIR "/modules/kvs.so"), one_mebibyte(), {{"data", zone}}};
  std::array<drover_conn, 4> slow{};
  drover_conn waiting = small.accept();
};

TEST_F(KvsModuleWithoutRoom, CountsNoOutputThatHasBeenTaken) {
  small.feed(waiting, frame(kGet, 1, "k"));
  small.ring();
  EXPECT_EQ(small.read(waiting), "") << "it is tried again for a moment";
  small.set_deaf(slow[0], false);
  small.pass(milliseconds(12));
  EXPECT_EQ(statuses(small.read(waiting)), (std::vector<int>{kOk}));
  for (int i = 0; i < 10; ++i) {
    small.feed(waiting, frame(kGet, 1, "k"));
    EXPECT_EQ(statuses(small.read(waiting)), (std::vector<int>{kOk})) << i;
  }
}

// Less than the high-water mark: its leaving is told to nobody.
TEST_F(KvsModuleWithoutRoom, GoesOnWithWhoWaitedForItWhenThereIsRoom) {
  std::string pings;
  for (std::uint32_t i = 1; i <= 40; ++i) pings += frame(kPing, i, "", std::string(3'000, 'v'));
  small.set_deaf(waiting, true);
  small.feed(waiting, pings);
  small.pass(milliseconds(100));
  EXPECT_TRUE(small.is_paused(waiting));

  small.set_deaf(slow[0], false);
  for (int i = 0; i < 20 && small.is_paused(waiting); ++i) {
    small.pass(milliseconds(10));
    small.ring();
  }

  EXPECT_FALSE(small.is_paused(waiting)) << "deaf as it is";
}

TEST_F(KvsModuleWithoutRoom, GoesOnWithWhoHasTakenItsAnswers) {
  std::string pings;
  for (std::uint32_t i = 1; i <= 40; ++i) pings += frame(kPing, i, "", std::string(3'000, 'v'));
  small.set_deaf(waiting, true);
  small.feed(waiting, pings);
  small.pass(milliseconds(100));
  ASSERT_TRUE(small.is_paused(waiting));

  small.set_deaf(waiting, false);
  for (int i = 0; i < 60 && small.is_paused(waiting); ++i) {
    small.pass(milliseconds(10));
    small.ring();
  }

  EXPECT_EQ(statuses(small.read(waiting)).size(), 40U);
  EXPECT_FALSE(small.is_paused(waiting));
}

TEST_F(KvsModuleWithoutRoom, ForgetsTheSlowWhenTheyHaveGone) {
  for (const drover_conn each : slow) small.reset(each);
  small.pass(milliseconds(100));
  EXPECT_EQ(small.stale_calls(), 0);
  small.feed(waiting, frame(kGet, 1, "k"));
  EXPECT_EQ(statuses(small.read(waiting)), (std::vector<int>{kOk}));
}

TEST_F(KvsModule, ClosesAConnectionWhoseFrameTakesTooLong) {
  host.feed(conn, frame(kPing, 1).substr(0, 5));
  EXPECT_FALSE(host.closed(conn));
  host.pass(milliseconds(1));
  EXPECT_EQ(statuses(host.read(conn)), (std::vector<int>{kBadFrame}));
  EXPECT_TRUE(host.has_ended(conn));
}

// The worker does not read while there is so much output, so the rest of the frame cannot come.
TEST_F(KvsModule, ClosesNobodyForAFrameThatItDoesNotReadItself) {
  host.feed(conn, frame(kSet, 1, "k", std::string(300'000, 'v')));
  static_cast<void>(host.read(conn));
  host.set_deaf(conn, true);
  host.feed(conn, frame(kGet, 2, "k") + frame(kPing, 3).substr(0, 5));
  host.pass(milliseconds(20));
  EXPECT_FALSE(host.has_ended(conn));
  host.set_deaf(conn, false);
  host.feed(conn, frame(kPing, 3).substr(5));
  EXPECT_EQ(statuses(host.read(conn)), (std::vector<int>{kOk, kOk}));
}

// It begins to read again when most of that has left, and not before.
TEST_F(KvsModule, ClosesNobodyForAFrameBeforeItReadsAgain) {
  host.feed(conn, frame(kSet, 1, "k", std::string(300'000, 'v')));
  static_cast<void>(host.read(conn));
  host.set_deaf(conn, true);
  host.feed(conn, frame(kGet, 2, "k") + frame(kPing, 3).substr(0, 5));
  std::string answers = host.take(conn, 150'000);
  host.pass(milliseconds(20));
  ASSERT_FALSE(host.has_ended(conn));
  answers += host.take(conn, 140'000);
  host.feed(conn, frame(kPing, 3).substr(5));
  host.set_deaf(conn, false);
  EXPECT_EQ(statuses(answers + host.read(conn)), (std::vector<int>{kOk, kOk}));
}

TEST_F(KvsModule, AnswersAllBeforeItFollowsTheClientsEnd) {
  host.feed(conn, frame(kPing, 1) + frame(kPing, 2));
  host.end(conn);
  EXPECT_EQ(statuses(host.read(conn)).size(), 2U);
  EXPECT_TRUE(host.has_ended(conn));
}

TEST_F(KvsModule, CountsForTheStatus) {
  host.feed(conn, frame(kSet, 1, "k", "v") + frame(kGet, 2, "k") + frame(kGet, 3, "x"));
  EXPECT_EQ(host.metric("requests"), 3);
  EXPECT_EQ(host.metric("hits"), 1);
  EXPECT_EQ(host.metric("misses"), 1);
  EXPECT_EQ(host.metric("writes"), 1);
  host.pass(milliseconds(1'500));
  EXPECT_EQ(host.metric("items"), 1);
}

}  // namespace
}  // namespace drover::testkit

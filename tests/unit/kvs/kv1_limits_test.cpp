// The limits of one client: what it may send and be sent, and in which time.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "modules/kvs/kv1/session.h"
#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::announced;
using testing::frame;
using testing::Holder;
using testing::kMiB;
using testing::kSmall;
using testing::Peer;
using testing::Said;
using testing::scan_from;
using testing::Server;
using testing::statuses;
using testing::test_time;

TEST(Kv1Limits, StopsAtTheOutputLimitAndGoesOnWhenTheClientHasRead) {
  Server server({.output_bytes = 10'000});
  Peer peer(server);
  peer.status(kSet, "k", std::string(3'000, 'v'));
  std::string many;
  for (std::uint32_t i = 1; i <= 20; ++i) many += frame(kGet, i, "k");

  peer.send(many);
  EXPECT_EQ(peer.session.wait(), Wait::kOutput);
  EXPECT_LT(peer.written.size(), 10'000U + 3'100U);
  std::vector<Said> all;
  while (peer.session.wait() == Wait::kOutput) {
    const auto some = peer.take();
    all.insert(all.end(), some.begin(), some.end());
    peer.resume();
  }
  const auto rest = peer.take();
  all.insert(all.end(), rest.begin(), rest.end());

  ASSERT_EQ(all.size(), 20U);
  for (std::uint32_t i = 0; i < 20; ++i) EXPECT_EQ(all[i].rid, i + 1);
}

TEST(Kv1Limits, OfAClientThatDoesNotReadGoesNoFurther) {
  Server server({.output_bytes = 10'000});
  Peer peer(server);
  peer.status(kSet, "k", std::string(3'000, 'v'));
  peer.pending = 9'999;
  peer.send(frame(kGet, 1, "k") + frame(kGet, 2, "k"));
  EXPECT_EQ(peer.take().size(), 1U);
  peer.pending = 13'000;
  for (int i = 0; i < 3; ++i) peer.resume();
  EXPECT_EQ(peer.session.wait(), Wait::kOutput);
  EXPECT_TRUE(peer.take().empty());
}

TEST(Kv1Limits, StopsAScanAtTheOutputLimitInTheMiddleOfABucket) {
  Server server({.output_bytes = 100});
  server.store.store->end_batch();
  Peer peer(server);
  for (int i = 0; i < 500; ++i) peer.status(kSet, "k" + std::to_string(i), std::string(90, 'v'));

  peer.send(frame(kScan, 1, "k", scan_from(0, 100'000)));
  std::set<std::string> keys;
  std::size_t items = 0;
  for (;;) {
    peer.let_it_work();
    EXPECT_LE(peer.written.size(), 210U) << "one item beyond the limit";
    for (const Said& said : peer.take()) {
      if (said.status != kPartial) continue;
      keys.insert(said.key);
      ++items;
    }
    if (peer.session.wait() == Wait::kNothing) break;
    server.next_turn();
    peer.resume();
  }

  EXPECT_EQ(items, 500U);
  EXPECT_EQ(keys.size(), 500U);
}

TEST(Kv1Limits, TakesOnNoMoreThanItsLimitInATurn) {
  Server server({.inflight = 4});
  Peer peer(server);
  std::string many;
  for (std::uint32_t i = 1; i <= 10; ++i) many += frame(kPing, i);
  peer.send(many);
  EXPECT_EQ(peer.session.wait(), Wait::kNextTurn);
  EXPECT_EQ(peer.take().size(), 4U);
  peer.resume();
  EXPECT_EQ(peer.take().size(), 4U);
  peer.resume();
  EXPECT_EQ(peer.take().size(), 2U);
  EXPECT_EQ(peer.session.wait(), Wait::kNothing);
}

TEST(Kv1Limits, SkipsWhatIsTooLongAndStays) {
  Server server(kSmall);
  Peer peer(server);
  const auto answers =
      peer.ask(frame(kSet, 1, "123456789", "v") + frame(kSet, 2, "k", std::string(33, 'v')) +
               frame(kSet, 3, "k", std::string(128, 'v')) + frame(kGet, 4, "k"));
  EXPECT_EQ(statuses(answers),
            (std::vector<int>{kKeyLength, kValueTooLarge, kValueTooLarge, kNotFound}));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(answers[static_cast<std::size_t>(i)].value.empty());
  EXPECT_FALSE(peer.session.is_over());
  EXPECT_EQ(server.count(Count::kTooLong), 3U);
}

TEST(Kv1Limits, EndsAtAValueFourTimesTooLargeBehindTheAnswersBefore) {
  Server server(kSmall);
  Peer peer(server);
  peer.send(frame(kPing, 1) + frame(kSet, 2, "k", std::string(129, 'v')) + frame(kPing, 3));
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kValueTooLarge}));
  EXPECT_TRUE(peer.session.is_over());
}

TEST(Kv1Limits, EndsAtBytesThatAreNoFrameBehindTheAnswersBefore) {
  for (const int type : {0x00, 0x80, 0xff}) {
    Server server;
    Peer peer(server);
    peer.send(frame(kPing, 1) + frame(static_cast<std::uint8_t>(type), 2) + frame(kPing, 3));
    const auto answers = peer.take();
    EXPECT_EQ(statuses(answers), (std::vector<int>{kOk, kBadFrame}));
    EXPECT_EQ(answers[1].rid, 2U);
    EXPECT_TRUE(peer.session.is_over());
    EXPECT_EQ(server.count(Count::kBadFrames), 1U);
    peer.send(frame(kPing, 4));
    EXPECT_TRUE(peer.take().empty());
  }
}

TEST(Kv1Limits, AnswersWhatWaitsBeforeItEndsAtBytesThatAreNoFrame) {
  Server server;
  Peer peer(server);
  auto holder = std::make_unique<Holder>(server, "k");
  peer.send(frame(kSet, 1, "k", "1") + frame(0xff, 2));
  EXPECT_FALSE(peer.session.is_over());
  holder.reset();
  peer.resume();
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kBadFrame}));
  EXPECT_TRUE(peer.session.is_over());
}

TEST(Kv1Limits, DeniesAStrangerBeforeAnyOtherComplaintAndKeepsNothingOfHis) {
  Server server({.frame = {.key_bytes = 8, .value_bytes = 100'000}});
  server.service.token = "secret";
  Peer stranger(server);
  EXPECT_EQ(stranger.status(0x7f, "k"), kDenied);
  EXPECT_EQ(stranger.status(kSet, "123456789", "v"), kDenied);
  EXPECT_EQ(stranger.status(kSet, "k", std::string(100'001, 'v')), kDenied);
  stranger.send(announced(1, 50'000));
  EXPECT_EQ(server.service.budget.used(), 0U);
  stranger.send(std::string(50'000, 'v'));
  EXPECT_EQ(statuses(stranger.take()), std::vector<int>{kDenied});
  const std::string whole = frame(kAuth, 1, "", std::string(50'000, 'v'));
  stranger.send(whole.substr(0, 100));
  stranger.send(whole.substr(100));
  EXPECT_EQ(statuses(stranger.take()), std::vector<int>{kDenied});
  EXPECT_EQ(stranger.status(kAuth, "", "secret"), kOk);
  EXPECT_EQ(stranger.status(0x7f, "k"), kUnknownType);
}

TEST(Kv1Limits, TakesAMetaFormBesideTheLargestValue) {
  Server server(kSmall);
  Peer peer(server);
  EXPECT_EQ(peer.status(kSetMeta, "k", testing::meta({}, std::string(32, 'v'))), kOk);
  EXPECT_EQ(peer.status(kSetMeta, "k", testing::meta({}, std::string(33, 'v'))), kValueTooLarge);
  EXPECT_EQ(peer.status(kSet, "k", std::string(33, 'v')), kValueTooLarge);
}

TEST(Kv1Limits, GivesAFrameItsTimeAndNoMore) {
  Server server;
  Peer peer(server);
  const std::string whole = frame(kSet, 1, "k", "value");
  EXPECT_FALSE(peer.session.deadline());
  peer.send(whole.substr(0, 3));
  const auto deadline = peer.session.deadline();
  ASSERT_TRUE(deadline);
  EXPECT_EQ(*deadline - test_time, std::chrono::seconds(10));
  test_time += std::chrono::seconds(9);
  peer.send(whole.substr(3, 3));
  EXPECT_EQ(peer.session.deadline(), deadline) << "a byte now and then does not prolong it";
  peer.send(whole.substr(6) + whole.substr(0, 3));
  EXPECT_GT(peer.session.deadline(), deadline) << "it is another one";

  Output output{peer.written, 0};
  peer.session.time_out(output);

  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kBadFrame}));
  EXPECT_TRUE(peer.session.is_over());
  EXPECT_EQ(server.count(Count::kLateFrames), 1U);
}

TEST(Kv1Limits, HasNoDeadlineWhileItIsTheServerThatDoesNotRead) {
  Server server({.output_bytes = 100});
  Peer peer(server);
  peer.send(frame(kPing, 1, "", std::string(200, 'v')) + frame(kPing, 2).substr(0, 5));
  EXPECT_EQ(peer.session.wait(), Wait::kOutput);
  EXPECT_FALSE(peer.session.deadline());
  peer.written.clear();
  peer.resume();
  EXPECT_TRUE(peer.session.deadline());
}

TEST(Kv1Limits, SaysNoSpaceAndKeepsTheOldValue) {
  Server server({}, kMiB);
  Peer peer(server);
  ASSERT_EQ(peer.status(kSet, "old", "value"), kOk);
  int stored = 0;
  while (peer.status(kSet, "k" + std::to_string(stored), std::string(10'000, 'v')) == kOk) ++stored;
  EXPECT_GT(stored, 10);
  server.next_turn();
  peer.send(frame(kSet, 1, "old", std::string(200'000, 'v')));
  EXPECT_EQ(peer.session.wait(), Wait::kNothing) << "another turn changes nothing";
  EXPECT_EQ(statuses(peer.take()), std::vector<int>{kNoSpace});
  EXPECT_EQ(peer.one(kGet, "old").value, "value");
  EXPECT_EQ(peer.one(kGet, "k0").value, std::string(10'000, 'v'));
}

TEST(Kv1Limits, TriesOnceMoreAfterTheBatchWhoseReadingHeldTheRoom) {
  Server server({}, kMiB);
  Peer peer(server);
  int stored = 0;
  while (peer.status(kSet, "k" + std::to_string(stored), std::string(10'000, 'v')) == kOk) ++stored;
  server.next_turn();

  std::string many = frame(kGet, 1, "k0");  // this batch reads from here on
  for (int i = 0; i < 10; ++i) {
    const std::string key = "k" + std::to_string(i);
    many += frame(kDel, 2, key) + frame(kSet, 3, key, std::string(10'000, 'w'));
  }
  peer.send(many);
  EXPECT_EQ(peer.session.wait(), Wait::kNextTurn);
  peer.let_it_work();

  for (const Said& said : peer.take()) EXPECT_EQ(said.status, kOk);
}

TEST(Kv1Limits, UnderTheClockWritesGoOnInAFullStore) {
  Server server({}, 4 * kMiB, {.eviction = Eviction::kClock});
  Peer peer(server);
  for (int round = 0; round < 20; ++round) {
    std::string many;
    for (std::uint32_t i = 0; i < 50; ++i) {
      const std::string key = std::to_string(round) + "/" + std::to_string(i);
      many += frame(kSet, i + 1, key, std::string(20'000, 'v')) + frame(kGet, 100, key);
    }
    for (const Said& said : peer.ask(many)) ASSERT_EQ(said.status, kOk) << round;
    server.next_turn();
  }
}

TEST(Kv1Limits, KeepsToTheValueLimitWhenAValueIsExtended) {
  Server server(kSmall);
  Peer peer(server);
  peer.status(kSet, "k", std::string(30, 'v'));
  EXPECT_EQ(peer.status(kAppend, "k", "12"), kOk);
  EXPECT_EQ(peer.status(kAppend, "k", "3"), kValueTooLarge);
  EXPECT_EQ(peer.status(kPrepend, "k", "3"), kValueTooLarge);
  EXPECT_EQ(peer.one(kGet, "k").value.size(), 32U);
}

}  // namespace
}  // namespace kvs::kv1

// What a client may make a server keep, and what happens beyond it.
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "modules/kvs/kv1/session.h"
#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::bytes_of;
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

std::string announced(std::uint32_t rid, std::uint32_t size) {
  std::string head = frame(kSet, rid, "key");
  head.resize(head.size() - 4);
  return head + bytes_of(size);
}

TEST(Kv1Limits, CountsWhatIsAnnouncedAndRefusesWhatTheBudgetHasNoRoomFor) {
  constexpr std::uint32_t k64MiB = 64U << 20;
  Server server({.frame = {.value_bytes = k64MiB}, .memory_bytes = 100U << 20});
  Peer first(server);
  first.send(announced(1, k64MiB));
  EXPECT_EQ(server.service.budget.used(), k64MiB + 3U);
  {
    Peer second(server);
    second.send(announced(2, k64MiB));
    for (int i = 0; i < 64; ++i) second.send(std::string(kMiB, 'v'));
    EXPECT_EQ(statuses(second.take()), (std::vector<int>{kBusy}));
    EXPECT_EQ(second.status(kPing), kOk);
    EXPECT_EQ(second.status(kSet, "small", "v"), kOk);
  }
  Output output{first.written, 0};
  first.session.end(output);
  Peer third(server);
  third.send(frame(kSet, 3, "large", std::string(5'000, 'v')).substr(0, 100));
  EXPECT_EQ(server.service.budget.used(), k64MiB + 3U + 5'005U);
}

TEST(Kv1Limits, GivesBackWhatItWasCharged) {
  Server server;
  {
    Peer peer(server);
    peer.send(announced(1, 100'000));
    EXPECT_EQ(server.service.budget.used(), 100'003U);
  }
  EXPECT_EQ(server.service.budget.used(), 0U);
  Peer peer(server);
  const std::string whole = frame(kSet, 1, "k", std::string(100'000, 'v'));
  peer.send(whole.substr(0, 50'000));
  EXPECT_GT(server.service.budget.used(), 100'000U);
  peer.send(whole.substr(50'000));
  EXPECT_LT(server.service.budget.used(), 100U);
}

TEST(Kv1Limits, ReadsALargeValueOnlyWhileTheBudgetHasRoom) {
  Server server({.memory_bytes = 300'000});
  Peer writer(server);
  writer.status(kSet, "k", std::string(200'000, 'v'));
  Peer slow(server);
  slow.send(frame(kGet, 1, "k"));
  EXPECT_EQ(slow.written.size(), 200'011U) << "and nobody reads it";
  EXPECT_EQ(writer.status(kGet, "k"), kBusy);
  slow.session.set_pending(0);
  EXPECT_EQ(writer.status(kGet, "k"), kOk);
}

TEST(Kv1Limits, SaysThatAValueLargerThanTheBudgetIsTooLarge) {
  Server server({.memory_bytes = 300'000});
  Peer peer(server);
  peer.status(kSet, "k", std::string(400'000, 'v'));
  EXPECT_EQ(peer.status(kGet, "k"), kValueTooLarge) << "to try again is in vain";
  EXPECT_EQ(peer.status(kMultiGet, "", std::string("\0\1k", 3)), kValueTooLarge);
}

TEST(Kv1Limits, HoldsBackWhoHasMuchOutputWhileTheBudgetHasNoRoom) {
  Server server({.memory_bytes = kMiB});
  auto other = std::make_unique<Peer>(server);
  other->send(announced(1, 1'000'000));
  std::string pings;
  for (std::uint32_t i = 1; i <= 10; ++i) pings += frame(kPing, i, "", std::string(30'000, 'v'));

  Peer peer(server);
  peer.send(pings);
  EXPECT_EQ(peer.session.wait(), Wait::kShortly) << "of so little output nobody tells the end";
  EXPECT_EQ(peer.take().size(), 3U);
  Peer slow(server);
  slow.pending = 300'000;
  slow.send(pings);
  EXPECT_EQ(slow.session.wait(), Wait::kOutput);
  EXPECT_TRUE(slow.take().empty());
  EXPECT_EQ(Peer(server).status(kPing), kOk) << "who reads goes on";

  slow.session.set_pending(0);
  other.reset();
  peer.let_it_work();
  EXPECT_EQ(peer.take().size(), 7U);
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
  EXPECT_FALSE(peer.session.frame_deadline());
  peer.send(whole.substr(0, 3));
  const auto deadline = peer.session.frame_deadline();
  ASSERT_TRUE(deadline);
  EXPECT_EQ(*deadline - test_time, std::chrono::seconds(10));
  test_time += std::chrono::seconds(9);
  peer.send(whole.substr(3, 3));
  EXPECT_EQ(peer.session.frame_deadline(), deadline) << "a byte now and then does not prolong it";
  peer.send(whole.substr(6) + whole.substr(0, 3));
  EXPECT_GT(peer.session.frame_deadline(), deadline) << "it is another one";

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
  EXPECT_FALSE(peer.session.frame_deadline());
  peer.written.clear();
  peer.resume();
  EXPECT_TRUE(peer.session.frame_deadline());
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

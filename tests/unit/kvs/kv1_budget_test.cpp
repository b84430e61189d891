// What all clients together may make a worker keep, and who waits when there is no more.
#include <gtest/gtest.h>

#include <memory>

#include "modules/kvs/kv1/session.h"
#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::announced;
using testing::frame;
using testing::kMiB;
using testing::Peer;
using testing::scan_from;
using testing::Server;
using testing::statuses;
using testing::test_time;

TEST(Kv1Budget, CountsWhatIsAnnouncedAndRefusesWhatTheBudgetHasNoRoomFor) {
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

TEST(Kv1Budget, GivesBackWhatItWasCharged) {
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

TEST(Kv1Budget, ReadsAValueOnlyWhileTheBudgetHasRoom) {
  Server server({.memory_bytes = 300'000});
  Peer writer(server);
  writer.status(kSet, "k", std::string(200'000, 'v'));
  writer.status(kSet, "small", std::string(4'000, 'v'));
  Peer slow(server);
  slow.send(frame(kGet, 1, "k"));
  EXPECT_EQ(slow.written.size(), 200'011U) << "and nobody reads it";
  EXPECT_EQ(writer.status(kGet, "k"), kBusy);
  EXPECT_EQ(writer.status(kLpmMeta, "k/1"), kBusy);
  EXPECT_EQ(writer.status(kMultiGet, "", std::string("\0\1k", 3)), kBusy);
  EXPECT_EQ(writer.status(kPing, "", std::string(150'000, 'v')), kBusy);
  EXPECT_EQ(writer.status(kGet, "small"), kOk);
  slow.session.set_pending(0);
  EXPECT_EQ(writer.status(kGet, "k"), kOk);
}

TEST(Kv1Budget, ScansNoFurtherThanTheBudgetHasRoom) {
  Server server({.memory_bytes = 300'000});
  Peer peer(server);
  for (int i = 0; i < 10; ++i) peer.status(kSet, "k" + std::to_string(i), std::string(50'000, 'v'));
  Peer other(server);
  other.send(announced(1, 150'000));
  server.next_turn();

  peer.send(frame(kScan, 1, "k", scan_from(0, 100)));
  peer.let_it_work();

  EXPECT_LT(server.service.budget.used(), 300'001U);
  const auto answers = peer.take();
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[1].status, kPartial);
  EXPECT_EQ(answers[2].status, kBusy) << "the client has not read, and there is no room for more";
}

// Of small ones, too: no single one is much.
TEST(Kv1Budget, OfMGetAndScanGivesNoMoreThanTheBudgetHasRoomFor) {
  for (const Request many : {kMultiGet, kScan}) {
    Server server({.memory_bytes = 100'000});
    Peer peer(server);
    std::string keys;
    for (int i = 100; i < 200; ++i) {
      peer.status(kSet, std::to_string(i), std::string(4'000, 'v'));
      keys += std::string("\0\3", 2) + std::to_string(i);
    }
    auto other = std::make_unique<Peer>(server);
    other->send(announced(1, 70'000));
    const std::string request =
        many == kScan ? frame(kScan, 1, "", scan_from(0, 1'000)) : frame(kMultiGet, 1, "", keys);
    peer.send(request);
    peer.let_it_work();
    EXPECT_EQ(peer.session.wait(), Wait::kOutput);
    EXPECT_LT(server.service.budget.used(), 104'100U);
    EXPECT_FALSE(peer.session.may_go_on());
    std::size_t got = peer.take().size();
    peer.session.set_pending(0);
    EXPECT_TRUE(peer.session.may_go_on());
    other.reset();
    for (int turn = 0; turn < 100 && peer.session.wait() != Wait::kNothing; ++turn) {
      server.next_turn();
      peer.resume();
      peer.let_it_work();
      got += peer.take().size();
    }
    EXPECT_EQ(got, 101U);
  }
}

// However it came: none of it was announced before it was whole.
TEST(Kv1Budget, CountsARequestThatWaits) {
  Server server({.output_bytes = 1'000});
  Peer peer(server);
  ASSERT_EQ(peer.status(kSet, "k", std::string(900, 'v')), kOk);
  std::string keys;
  for (int i = 0; i < 5'000; ++i) keys += std::string("\0\1k", 3);
  peer.send(frame(kMultiGet, 1, "", keys));
  ASSERT_EQ(peer.session.wait(), Wait::kOutput);
  EXPECT_GE(server.service.budget.used(), keys.size());
  std::size_t answered = 0;
  while (peer.session.wait() == Wait::kOutput) {
    answered += peer.take().size();
    server.next_turn();
    peer.resume();
    peer.let_it_work();
  }
  EXPECT_EQ(answered + peer.take().size(), 5'001U);
  EXPECT_EQ(server.service.budget.used(), 0U);
}

// Room for one item at a time, whose client takes it: no wait is long.
TEST(Kv1Budget, WaitsForEachItemOfManyAsForTheFirst) {
  Server server({.memory_bytes = 13'000});
  Peer peer(server);
  ASSERT_EQ(peer.status(kSet, "k", std::string(8'000, 'v')), kOk);
  std::string keys;
  for (int i = 0; i < 4; ++i) keys += std::string("\0\1k", 3);
  peer.send(frame(kMultiGet, 1, "", keys));
  std::vector<int> said = statuses(peer.take());
  for (int i = 0; i < 6 && peer.session.wait() != Wait::kNothing; ++i) {
    server.next_turn();
    test_time += kBusyPatience - kBusyGlance;
    peer.resume();
    const auto more = statuses(peer.take());
    said.insert(said.end(), more.begin(), more.end());
  }
  EXPECT_EQ(said, (std::vector<int>{kPartial, kPartial, kPartial, kPartial, kOk}));
}

TEST(Kv1Budget, CountsAllOutputButALittle) {
  Server server;
  Peer peer(server);
  peer.send(frame(kPing, 1, "", std::string(5'000, 'v')));
  EXPECT_EQ(server.service.budget.used(), 5'011U);
  EXPECT_TRUE(peer.session.has_counted_output());
  peer.session.set_pending(kFreeOutput);
  EXPECT_EQ(server.service.budget.used(), 0U);
  EXPECT_FALSE(peer.session.has_counted_output());
}

TEST(Kv1Budget, HoldsBackWhoHasMuchOutputWhileTheBudgetHasNoRoom) {
  Server server({.memory_bytes = kMiB});
  auto other = std::make_unique<Peer>(server);
  other->send(announced(1, 1'000'000));
  std::string pings;
  for (std::uint32_t i = 1; i <= 30; ++i) pings += frame(kPing, i, "", std::string(3'000, 'v'));

  Peer peer(server);
  peer.send(pings);
  EXPECT_EQ(peer.session.wait(), Wait::kOutput);
  EXPECT_LE(peer.written.size(), kMiB - 1'000'003);
  EXPECT_FALSE(peer.session.may_go_on());
  Peer slow(server);
  slow.pending = 300'000;
  slow.send(pings);
  EXPECT_EQ(slow.session.wait(), Wait::kOutput);
  EXPECT_TRUE(slow.take().empty());
  EXPECT_EQ(Peer(server).status(kPing), kOk) << "who reads goes on";

  slow.session.set_pending(0);
  other.reset();
  EXPECT_TRUE(peer.session.may_go_on()) << "there is room again";
  peer.resume();
  EXPECT_EQ(peer.take().size(), 30U);
}

}  // namespace
}  // namespace kvs::kv1

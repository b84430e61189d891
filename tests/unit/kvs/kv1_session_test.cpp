// A session: splits, order, waiting, and ends.
#include "modules/kvs/kv1/session.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::answers_in;
using testing::frame;
using testing::Holder;
using testing::kMiB;
using testing::kSmall;
using testing::number64;
using testing::Peer;
using testing::Said;
using testing::scan_from;
using testing::Server;
using testing::statuses;
using testing::test_time;

// Something of every kind that does not end the connection.
std::string a_conversation() {
  return frame(kPing, 1, "", "hi") + frame(kSet, 2, "/a", "1") + frame(kSet, 0, "/a/b", "2") +
         frame(kLpm, 3, "/a/b/c") + frame(kGet, 0, "/a") + frame(kIncr, 4, "/a", number64(41)) +
         frame(kSet, 5, "123456789", "too long a key") + frame(kSet, 6, "k", std::string(33, 'v')) +
         frame(kGet, 7) + frame(0x7f, 8, "?", "?") + frame(kScan, 9, "/a", scan_from(0, 9)) +
         frame(kDelPrefix, 10, "/a/") + frame(kGet, 11, "/a") +
         frame(kMultiGet, 12, "", std::string("\0\2/a\0\1x", 7));
}

std::string told_in_pieces(std::size_t first, std::size_t second) {
  const std::string whole = a_conversation();
  Server server(kSmall, kMiB);
  Peer peer(server);
  for (const std::string& piece :
       {whole.substr(0, first), whole.substr(first, second - first), whole.substr(second)}) {
    peer.send(piece);
    peer.let_it_work();
  }
  return peer.written;
}

TEST(Kv1Session, AnswersTheSameForEverySplit) {
  const std::string whole = a_conversation();
  const std::string expected = told_in_pieces(whole.size(), whole.size());
  EXPECT_EQ(answers_in(expected).size(), 16U);
  for (std::size_t first = 0; first <= whole.size(); first += 3) {
    for (std::size_t second = first; second <= whole.size(); second += 5) {
      ASSERT_EQ(told_in_pieces(first, second), expected) << first << ' ' << second;
    }
  }
}

TEST(Kv1Session, AnswersTheSameByteByByte) {
  const std::string whole = a_conversation();
  Server server(kSmall, kMiB);
  Peer peer(server);
  for (const char byte : whole) {
    peer.send(std::string(1, byte));
    peer.let_it_work();
  }
  EXPECT_EQ(peer.written, told_in_pieces(whole.size(), whole.size()));
}

TEST(Kv1Session, WaitsForAShardAndThoseBehindWaitInTheirOrder) {
  Server server;
  Peer peer(server);
  auto holder = std::make_unique<Holder>(server, "k");

  peer.send(frame(kSet, 1, "k", "1") + frame(kAppend, 2, "k", "2") + frame(kGet, 3, "k"));
  EXPECT_EQ(peer.session.wait(), Wait::kNextTurn) << "perhaps it is only this batch";
  EXPECT_TRUE(peer.take().empty());
  peer.resume();
  EXPECT_EQ(peer.session.wait(), Wait::kShortly);
  test_time += kBusyGlance;
  peer.resume();
  EXPECT_EQ(peer.session.wait(), Wait::kShortly);
  peer.send(frame(kAppend, 4, "k", "3") + frame(kGet, 5, "k"));
  holder.reset();
  test_time += kBusyGlance;
  peer.resume();

  EXPECT_EQ(peer.session.wait(), Wait::kNothing);
  EXPECT_EQ(peer.take(), (std::vector<Said>{{kOk, 1, "", ""},
                                            {kOk, 2, "", ""},
                                            {kOk, 3, "", "12"},
                                            {kOk, 4, "", ""},
                                            {kOk, 5, "", "123"}}));
}

TEST(Kv1Session, SaysBusyWhenAShardIsHeldForFiveMilliseconds) {
  Server server;
  Peer peer(server);
  peer.status(kSet, "k", "old");
  const Holder holder(server, "k");
  const Time start = test_time;

  const auto answers = peer.ask(frame(kSet, 1, "k", "new") + frame(kGet, 2, "k"));

  EXPECT_EQ(statuses(answers), (std::vector<int>{kBusy, kOk}));
  EXPECT_EQ(answers[1].value, "old");
  EXPECT_EQ(test_time - start, kBusyPatience);
  EXPECT_EQ(server.count(Count::kBusy), 1U);
}

TEST(Kv1Session, DelPrefixGivesUpAtAShardThatIsHeld) {
  Server server;
  Peer peer(server);
  for (int i = 0; i < 100; ++i) peer.status(kSet, "k" + std::to_string(i), "v");
  {
    const Holder holder(server, "k0");
    EXPECT_EQ(peer.status(kDelPrefix, "k"), kBusy);
  }
  EXPECT_EQ(peer.status(kGet, "k0"), kOk);
  EXPECT_EQ(peer.status(kDelPrefix, "k"), kOk);
  EXPECT_EQ(peer.status(kGet, "k0"), kNotFound);
}

TEST(Kv1Session, WorksNoLongerInATurnThanItsTime) {
  Server server;
  Peer peer(server);
  server.service.clock = [] { return test_time += std::chrono::microseconds(100); };
  for (int i = 0; i < 300; ++i) peer.status(kSet, "k" + std::to_string(i), "v");
  server.next_turn();

  peer.send(frame(kFlush, 1) + frame(kGet, 2, "k0"));
  int turns = 1;
  for (; peer.session.wait() == Wait::kNextTurn; ++turns) {
    EXPECT_TRUE(peer.written.empty());
    server.next_turn();
    peer.resume();
  }

  EXPECT_GT(turns, 3);
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kNotFound}));
}

// Its keys are looked at before any is answered, which may take all of a turn's time.
TEST(Kv1Session, AnswersAKeyOfAnMGetInEachTurnAtLeast) {
  Server server;
  Peer peer(server);
  server.service.clock = [] { return test_time += std::chrono::milliseconds(2); };
  constexpr int kKeys = 22'000;  // in 64 KiB, which is costly
  std::string keys;
  for (int i = 0; i < kKeys; ++i) keys += std::string("\0\1k", 3);

  peer.send(frame(kMultiGet, 1, "", keys));
  for (int turn = 0; turn < kKeys && peer.session.wait() == Wait::kNextTurn; ++turn) {
    server.next_turn();
    peer.resume();
  }

  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk}));
}

// Many small requests may be as much work as a large one.
TEST(Kv1Session, DoesNoMoreCostlyRequestsInATurnThanItsTimeAllows) {
  for (const Request costly : {kTouch, kAppend, kPrepend, kIncr, kLpm, kLpmMeta, kStats}) {
    Server server;
    Peer peer(server);
    server.service.clock = [] { return test_time += std::chrono::microseconds(400); };
    const std::string key = costly == kStats ? "" : "k";
    const std::string value = costly == kTouch || costly == kIncr ? number64(1) : "";
    std::string many;
    for (std::uint32_t i = 1; i <= 10; ++i) many += frame(costly, i, key, value);

    peer.send(many);
    int turns = 1;
    for (; peer.session.wait() == Wait::kNextTurn && turns < 99; ++turns) {
      server.next_turn();
      peer.resume();
    }

    EXPECT_GT(turns, 3) << int{costly};
    EXPECT_LT(turns, 11) << "the first of a turn gets through";
    EXPECT_EQ(peer.take().size(), 10U);
  }
}

TEST(Kv1Session, IsNotStarvedByAnothersWorkInTheSameTurn) {
  Server server;
  Peer busy(server);
  Peer other(server);
  for (int i = 0; i < 300; ++i) busy.status(kSet, "k" + std::to_string(i), "v");
  server.next_turn();
  server.service.clock = [] { return test_time += std::chrono::microseconds(100); };
  busy.send(frame(kScan, 1, "", scan_from(0, 1'000'000)));
  ASSERT_EQ(busy.session.wait(), Wait::kNextTurn);

  other.send(frame(kGet, 2, "k1"));

  EXPECT_EQ(statuses(other.take()), (std::vector<int>{kOk}));
}

TEST(Kv1Session, DropsAndCountsAFrameThatTheEndCuts) {
  Server server;
  Peer peer(server);
  peer.send(frame(kSet, 1, "k", "value").substr(0, 15));
  Output output{peer.written, 0};
  peer.session.end(output);
  EXPECT_TRUE(peer.session.is_over());
  EXPECT_EQ(server.count(Count::kCutFrames), 1U);
  Peer other(server);
  EXPECT_EQ(other.status(kGet, "k"), kNotFound);
}

TEST(Kv1Session, AnswersAllThatCameBeforeTheEnd) {
  Server server;
  Peer peer(server);
  auto holder = std::make_unique<Holder>(server, "k");
  peer.send(frame(kSet, 1, "k", "1") + frame(kGet, 2, "k"));
  Output output{peer.written, 0};
  peer.session.end(output);
  EXPECT_FALSE(peer.session.is_over());
  holder.reset();
  peer.resume();
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kOk}));
  EXPECT_TRUE(peer.session.is_over());
  EXPECT_EQ(server.count(Count::kCutFrames), 0U);
}

void drain(Peer& peer) {
  Output output{peer.written, 0};
  peer.session.drain(output);
}

// As the loop does when the deadline has passed.
void linger(Peer& peer) {
  ASSERT_TRUE(peer.session.deadline());
  EXPECT_FALSE(peer.session.is_over());
  test_time = *peer.session.deadline();
  Output output{peer.written, 0};
  peer.session.time_out(output);
  EXPECT_TRUE(peer.session.is_over());
}

TEST(Kv1Session, ThatIsIdleEndsAMomentAfterTheServerBeginsToGo) {
  Server server;
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  EXPECT_EQ(*peer.session.deadline() - test_time, kDrainLinger);
  linger(peer);
  EXPECT_TRUE(peer.take().empty());
  EXPECT_EQ(server.count(Count::kLateFrames), 0U);
}

TEST(Kv1Session, TellsWhatComesInThatMomentThatTheServerGoes) {
  Server server;
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  peer.send(frame(kSet, 1, "k", "v") + frame(kSet, 0, "k", "v") + frame(kGet, 2, "k"));
  test_time += kDrainLinger / 2;
  peer.send(frame(kPing, 3) + frame(0x7f, 4));
  const auto answers = peer.take();
  EXPECT_EQ(statuses(answers), std::vector<int>(5, kShuttingDown));
  EXPECT_EQ(answers[1].rid, 0U) << "a quiet one too";
  EXPECT_EQ(*peer.session.deadline() - test_time, kDrainLinger / 2) << "who asks on does not stay";
  linger(peer);
  EXPECT_EQ(Peer(server).status(kGet, "k"), kNotFound);
}

TEST(Kv1Session, AnswersWhatWaitsForATurnWhenThatMomentEnds) {
  Server server({.inflight = 1});
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  peer.send(frame(kPing, 1) + frame(kPing, 2) + frame(kPing, 3));
  ASSERT_EQ(peer.session.wait(), Wait::kNextTurn);
  test_time += 2 * kDrainLinger;
  EXPECT_FALSE(peer.session.deadline()) << "it is not the client who is waited for";
  peer.let_it_work();
  EXPECT_EQ(statuses(peer.take()), std::vector<int>(3, kShuttingDown));
  EXPECT_TRUE(peer.session.is_over());
}

TEST(Kv1Session, AnswersAFrameThatTheEndOfThatMomentFindsUnderWay) {
  Server server;
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  const std::string whole = frame(kPing, 1, "", "hi");
  peer.send(whole.substr(0, 9));
  test_time += 2 * kDrainLinger;
  peer.send(whole.substr(9) + frame(kPing, 2));
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kShuttingDown, kShuttingDown}));
  EXPECT_TRUE(peer.session.is_over());
}

// What it has sent in the meantime was not read.
TEST(Kv1Session, GivesThatMomentToAClientWhenItReadsAgain) {
  Server server({.output_bytes = 1'000});
  Peer peer(server);
  peer.send(frame(kPing, 1, "", std::string(2'000, 'v')) + frame(kPing, 2));
  drain(peer);
  EXPECT_EQ(peer.session.wait(), Wait::kOutput);
  test_time += 10 * kDrainLinger;
  EXPECT_EQ(peer.take().size(), 1U);
  peer.resume();
  peer.send(frame(kPing, 3));
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kShuttingDown}));
  linger(peer);
}

TEST(Kv1Session, GivesAllOfThatMomentAgainToAClientThatDidNotReadInIt) {
  Server server({.output_bytes = 100});
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  std::string pings;
  for (std::uint32_t i = 1; i <= 5; ++i) pings += frame(kPing, i);
  peer.send(pings);
  std::size_t answered = 0;
  while (peer.session.wait() == Wait::kOutput) {
    answered += peer.take().size();
    test_time += 10 * kDrainLinger;
    peer.resume();
  }
  EXPECT_EQ(answered + peer.take().size(), 5U);
  linger(peer);
}

TEST(Kv1Session, ThatHasJustBegunIsServedItsFirstRequestsWhenTheServerGoes) {
  Server server;
  Peer peer(server);
  drain(peer);
  EXPECT_FALSE(peer.session.deadline()) << "the first may take its time";
  peer.send(frame(kPing, 1) + frame(kPing, 2));
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kOk}));
  linger(peer);
}

TEST(Kv1Session, FinishesTheFrameUnderWayWhenTheServerGoes) {
  Server server;
  Peer peer(server);
  const std::string whole = frame(kSet, 1, "k", "value");
  peer.send(whole.substr(0, 10));
  drain(peer);
  EXPECT_FALSE(peer.session.is_over());
  peer.send(whole.substr(10) + frame(kSet, 2, "k", "late"));
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kShuttingDown}));
  linger(peer);
  Peer other(server);
  EXPECT_EQ(other.one(kGet, "k").value, "value");
}

TEST(Kv1Session, ServesWhatHasComeWhenTheServerGoes) {
  Server server;
  Peer peer(server);
  auto holder = std::make_unique<Holder>(server, "k");
  peer.send(frame(kSet, 1, "k", "1") + frame(kAppend, 2, "k", "2"));
  drain(peer);
  EXPECT_FALSE(peer.session.is_over());
  peer.send(frame(kAppend, 3, "k", "3"));
  holder.reset();
  peer.resume();
  EXPECT_EQ(statuses(peer.take()), (std::vector<int>{kOk, kOk, kShuttingDown}));
  linger(peer);
}

TEST(Kv1Session, ThatLingersEndsAtOnceWithItsClient) {
  Server server;
  Peer peer(server);
  peer.status(kPing);
  drain(peer);
  Output output{peer.written, 0};
  peer.session.end(output);
  EXPECT_TRUE(peer.session.is_over());
}

}  // namespace
}  // namespace kvs::kv1

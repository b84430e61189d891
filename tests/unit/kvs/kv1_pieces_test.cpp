// Large values: sent in pieces from the store itself, under a pin.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "modules/kvs/kv1/session.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::bytes_of;
using testing::frame;
using testing::kMiB;
using testing::Peer;
using testing::Said;
using testing::scan_from;
using testing::Server;
using testing::statuses;

constexpr std::size_t kLarge = 3 * kMiB;
constexpr std::size_t kMostAtATime = kWatchedOutput + PinnedValue::kPiece + 100;
constexpr Limits kLimits{.frame = {.value_bytes = 4U << 20}, .memory_bytes = 5 * kMiB};

std::string value_of(char letter) {
  std::string value(kLarge, letter);
  for (std::size_t i = 0; i < value.size(); i += 1'000) value[i] = static_cast<char>(i / 1'000);
  return value;
}

// A client that takes all there is whenever it has come to a halt; how much it was at most.
struct Reader {
  explicit Reader(Server& server) : peer(server) {}
  bool step() {
    most = std::max(most, peer.written.size());
    all += std::exchange(peer.written, {});
    peer.session.set_pending(0);
    if (peer.session.wait() == Wait::kNothing) return false;
    peer.server.next_turn();
    peer.resume();
    peer.let_it_work();
    return true;
  }
  std::vector<Said> read() {
    while (step()) {
    }
    return testing::answers_in(std::exchange(all, {}));
  }
  Peer peer;
  std::string all;
  std::size_t most = 0;
};

struct Kv1Pieces : ::testing::Test {
  Kv1Pieces() {
    EXPECT_EQ(writer.status(kSet, "k", value_of('v')), kOk);
    server.next_turn();
  }
  [[nodiscard]] std::size_t pins_left() {
    const auto item = server.store->get("pinned");
    std::vector<Pin> pins;
    while (const auto pin = server.store->pin(*item)) pins.push_back(*pin);
    for (const Pin& pin : pins) server.store->unpin(pin);
    return pins.size();
  }
  Server server{kLimits, 32 * kMiB};
  Peer writer{server};
};

TEST_F(Kv1Pieces, AreNoMoreThanTheClientTakesAndMakeTheWholeValue) {
  Reader reader(server);
  reader.peer.send(frame(kGet, 1, "k") + frame(kPing, 2));
  EXPECT_EQ(reader.peer.session.wait(), Wait::kOutput);
  EXPECT_LT(server.service.budget.used(), kMostAtATime);
  EXPECT_EQ(reader.read(), (std::vector<Said>{{kOk, 1, "", value_of('v')}, {kOk, 2, "", ""}}));
  EXPECT_LT(reader.most, kMostAtATime);
  EXPECT_EQ(server.service.budget.used(), 0U);
}

TEST_F(Kv1Pieces, OfWhateverRequestAreTheSame) {
  Reader reader(server);
  const std::string value = value_of('v');
  const std::string keys = std::string("\0\1k\0\1x\0\1k", 9);
  reader.peer.send(frame(kGetMeta, 1, "k") + frame(kLpm, 2, "k/1") + frame(kLpmMeta, 3, "k/1") +
                   frame(kMultiGet, 4, "", keys) + frame(kScan, 5, "", scan_from(0, 9)));
  const auto answers = reader.read();
  ASSERT_EQ(statuses(answers),
            (std::vector<int>{kOk, kOk, kOk, kPartial, kPartial, kOk, kPartial, kOk}));
  EXPECT_EQ(answers[0].value.substr(kMetaBytes), value);
  EXPECT_EQ(answers[1], (Said{kOk, 2, "k", value}));
  EXPECT_EQ(answers[2].value.substr(kMetaBytes), value);
  EXPECT_EQ(answers[2].key, "k");
  for (const std::size_t i : {3U, 4U, 6U}) EXPECT_EQ(answers[i].value, value) << i;
  EXPECT_EQ(answers[7].value, bytes_of(std::uint64_t{0}));
  EXPECT_LT(reader.most, kMostAtATime);
}

TEST_F(Kv1Pieces, AreOfTheValueThatWasThereWhateverIsWrittenMeanwhile) {
  for (const Request change : {kSet, kDel}) {
    ASSERT_EQ(writer.status(kSet, "k", value_of('v')), kOk);
    server.next_turn();
    Reader reader(server);
    reader.peer.send(frame(kGet, 1, "k"));
    EXPECT_EQ(writer.status(change, "k", change == kSet ? "new" : ""), kOk);
    // What is free is used again.
    for (int i = 0; i < 20; ++i) {
      writer.status(kSet, "other" + std::to_string(i % 5), value_of('o'));
      server.next_turn();
      reader.step();
    }
    const auto answers = reader.read();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers[0].value == value_of('v'));
    EXPECT_EQ(writer.status(kGet, "k"), change == kSet ? kOk : kNotFound);
  }
}

TEST_F(Kv1Pieces, AreNotMadeOfAValueThatMayLeaveAtOnce) {
  ASSERT_EQ(writer.status(kSet, "m", std::string(kMiB, 'm')), kOk);
  Peer peer(server);
  peer.send(frame(kGet, 1, "m"));
  EXPECT_EQ(peer.written.size(), kMiB + 11);
  Peer another(server);
  another.send(frame(kPing, 1) + frame(kGet, 2, "m"));
  EXPECT_LT(another.written.size(), kMostAtATime);
}

TEST_F(Kv1Pieces, LetGoOfTheValueAtTheirEndAndAtTheConnections) {
  ASSERT_EQ(writer.status(kSet, "pinned", "v"), kOk);
  ASSERT_EQ(pins_left(), kPinsPerReader);
  {
    Reader reader(server);
    reader.peer.send(frame(kGet, 1, "k"));
    EXPECT_EQ(pins_left(), kPinsPerReader - 1);
    static_cast<void>(reader.read());
    EXPECT_EQ(pins_left(), kPinsPerReader);
    reader.peer.send(frame(kGet, 1, "k"));
    EXPECT_EQ(pins_left(), kPinsPerReader - 1);
  }
  EXPECT_EQ(pins_left(), kPinsPerReader);
  EXPECT_EQ(server.service.budget.used(), 0U);
}

TEST_F(Kv1Pieces, AreOneForWhoGetsNoPinIfThereIsRoom) {
  std::vector<std::unique_ptr<Reader>> slow;
  for (std::size_t i = 0; i < kPinsPerReader; ++i) {
    slow.push_back(std::make_unique<Reader>(server));
    slow.back()->peer.send(frame(kGet, 1, "k"));
    EXPECT_LT(slow.back()->peer.written.size(), kMostAtATime);
    slow.back()->peer.written.clear();
    slow.back()->peer.session.set_pending(0);
  }
  Reader late(server);
  late.peer.send(frame(kGet, 1, "k"));
  EXPECT_EQ(late.peer.written.size(), kLarge + 11);
  EXPECT_EQ(late.peer.session.wait(), Wait::kNothing);
  Reader later(server);
  later.peer.send(frame(kGet, 1, "k"));
  later.peer.let_it_work();
  EXPECT_EQ(statuses(later.read()), std::vector<int>{kBusy});
}

TEST_F(Kv1Pieces, MakeAValueThatIsLargerThanTheBudgetToo) {
  Server small({.memory_bytes = 300'000}, 32 * kMiB);
  Peer other(small);
  ASSERT_EQ(other.status(kSet, "k", std::string(1'000'000, 'v')), kOk);
  Reader reader(small);
  reader.peer.send(frame(kGet, 1, "k"));
  EXPECT_EQ(reader.read(), (std::vector<Said>{{kOk, 1, "", std::string(1'000'000, 'v')}}));
}

TEST_F(Kv1Pieces, GoOnOneByOneWhenOthersHaveUsedUpTheBudget) {
  Reader reader(server);
  reader.peer.send(frame(kGet, 1, "k"));
  Peer other(server);
  const std::size_t room = kLimits.memory_bytes - server.service.budget.used();
  other.send(frame(kSet, 1, "x", std::string(4U << 20, 'x')).substr(0, 100));
  Peer another(server);
  another.send(frame(kSet, 1, "x", std::string(room - (4U << 20) - 1'000, 'x')).substr(0, 100));
  ASSERT_GT(server.service.budget.used(), kLimits.memory_bytes - 3'000);
  reader.step();
  EXPECT_FALSE(reader.peer.session.may_go_on() && reader.peer.written.size() > kFreeOutput)
      << "what it has taken is another's now";
  EXPECT_EQ(reader.read(), (std::vector<Said>{{kOk, 1, "", value_of('v')}}));
}

TEST_F(Kv1Pieces, GoOnToTheirEndWhenTheServerGoes) {
  Reader reader(server);
  reader.peer.send(frame(kGet, 1, "k"));
  Output output{reader.peer.written, 0};
  reader.peer.session.drain(output);
  EXPECT_EQ(reader.read(), (std::vector<Said>{{kOk, 1, "", value_of('v')}}));
}

}  // namespace
}  // namespace kvs::kv1

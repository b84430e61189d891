// Each request of KV1: what it answers, and what it refuses.
#include "modules/kvs/kv1/requests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "modules/kvs/kv1/features.h"
#include "modules/kvs/store/slices.h"
#include "modules/kvs/store/statistics.h"
#include "tests/unit/kvs/kv1_client.h"

namespace kvs::kv1 {
namespace {

using testing::bytes_of;
using testing::frame;
using testing::meta;
using testing::number64;
using testing::Peer;
using testing::Said;
using testing::scan_from;
using testing::Server;

struct Kv1Request : ::testing::Test {
  Server server;
  Peer peer{server};
};

TEST_F(Kv1Request, PingIsEchoed) {
  EXPECT_EQ(peer.one(kPing, "", "hello"), (Said{kOk, 7, "", "hello"}));
}

TEST_F(Kv1Request, HelloTellsVersionLimitsAndFeatures) {
  EXPECT_EQ(peer.one(kHello).value, bytes_of(kVersion) + bytes_of(std::uint16_t{2'048}) +
                                        bytes_of(std::uint32_t{1U << 20}) +
                                        bytes_of(std::uint32_t{0}));
  server.service.token = "secret";
  server.service.match = Match::kSegment;
  server.service.eviction = Eviction::kClock;
  EXPECT_EQ(peer.one(kHello).value.substr(8),
            bytes_of(std::uint32_t{kNeedsAuth | kMatchesSegments | kEvicts}));
}

TEST_F(Kv1Request, SetAndGet) {
  EXPECT_EQ(peer.one(kGet, "k"), (Said{kNotFound, 7, "", ""}));
  EXPECT_EQ(peer.one(kSet, "k", "v"), (Said{kOk, 7, "", ""}));
  EXPECT_EQ(peer.one(kGet, "k"), (Said{kOk, 7, "", "v"}));
  const std::string binary("\0\xff\n", 3);
  EXPECT_EQ(peer.status(kSet, binary, binary), kOk);
  EXPECT_EQ(peer.one(kGet, binary).value, binary);
  EXPECT_EQ(peer.status(kSet, "empty"), kOk);
  EXPECT_EQ(peer.one(kGet, "empty"), (Said{kOk, 7, "", ""}));
}

TEST_F(Kv1Request, LpmTellsTheKeyThatMatched) {
  for (const auto* key : {"/a", "/a/b"}) peer.status(kSet, key, key);
  EXPECT_EQ(peer.one(kLpm, "/a/b/c"), (Said{kOk, 7, "/a/b", "/a/b"}));
  EXPECT_EQ(peer.one(kLpm, "/abc"), (Said{kOk, 7, "/a", "/a"}));
  EXPECT_EQ(peer.one(kLpm, "/x"), (Said{kNotFound, 7, "", ""}));
  server.service.match = Match::kSegment;
  EXPECT_EQ(peer.status(kLpm, "/abc"), kNotFound);
  EXPECT_EQ(peer.one(kLpm, "/a/").key, "/a");
}

TEST_F(Kv1Request, LpmmOverridesTheServersMatch) {
  peer.status(kSet, "/foo", "v");
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 0})), kOk);
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 2})), kNotFound);
  server.service.match = Match::kSegment;
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 0})), kNotFound);
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar"), kNotFound);
  const Said said = peer.one(kLpmMeta, "/foobar", meta({.flags = 1}));
  EXPECT_EQ(said.key, "/foo");
  EXPECT_EQ(parse_meta(said.value)->value, "v");
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 3})), kBadArgument);
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 4})), kNotFound);
  EXPECT_EQ(peer.status(kLpmMeta, "/foobar", meta({.flags = 5})), kOk) << "bits 0 and 1 count";
}

TEST_F(Kv1Request, AddIsForWhatIsNotThereAndReplaceForWhatIs) {
  EXPECT_EQ(peer.status(kReplace, "k", "1"), kNotStored);
  EXPECT_EQ(peer.status(kAdd, "k", "2"), kOk);
  EXPECT_EQ(peer.status(kAdd, "k", "3"), kNotStored);
  EXPECT_EQ(peer.status(kReplace, "k", "4"), kOk);
  EXPECT_EQ(peer.one(kGet, "k").value, "4");
}

TEST_F(Kv1Request, DelRemoves) {
  EXPECT_EQ(peer.status(kDel, "k"), kNotFound);
  peer.status(kSet, "k", "v");
  EXPECT_EQ(peer.status(kDel, "k"), kOk);
  EXPECT_EQ(peer.status(kGet, "k"), kNotFound);
}

TEST_F(Kv1Request, SetmKeepsFlagsAndGetmTellsThem) {
  EXPECT_EQ(peer.one(kSetMeta, "k", meta({.flags = 5, .ttl_ms = 300}, "v")),
            (Said{kOk, 7, "", ""}));
  server.store->set_now(1'100);

  const Said said = peer.one(kGetMeta, "k", meta({}));

  const auto parsed = parse_meta(said.value);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->meta.flags, 5U);
  EXPECT_EQ(parsed->meta.ttl_ms, 200U);
  EXPECT_NE(parsed->meta.cas, 0U);
  EXPECT_EQ(parsed->value, "v");
  server.store->set_now(1'300);
  EXPECT_EQ(peer.status(kGetMeta, "k"), kNotFound);
}

TEST_F(Kv1Request, SetmComparesTheCas) {
  peer.status(kSet, "k", "old");
  const std::uint64_t cas = parse_meta(peer.one(kGetMeta, "k").value)->meta.cas;
  EXPECT_EQ(peer.status(kSetMeta, "k", meta({.cas = cas + 1}, "no")), kExists);
  EXPECT_EQ(peer.status(kSetMeta, "k", meta({.cas = cas}, "new")), kOk);
  EXPECT_EQ(peer.status(kSetMeta, "k", meta({.cas = cas}, "no")), kExists) << "it is another now";
  EXPECT_EQ(peer.one(kGet, "k").value, "new");
  EXPECT_EQ(peer.status(kSetMeta, "absent", meta({.cas = cas}, "no")), kExists);
  EXPECT_EQ(peer.status(kGet, "absent"), kNotFound);
}

TEST_F(Kv1Request, ATtlBeyondTheEndOfTimeIsNotInThePast) {
  EXPECT_EQ(peer.status(kSetMeta, "k", meta({.ttl_ms = ~std::uint64_t{0}}, "v")), kOk);
  EXPECT_EQ(peer.one(kGet, "k").value, "v");
}

TEST_F(Kv1Request, IncrCountsInDecimal) {
  EXPECT_EQ(peer.one(kIncr, "n", number64(5)), (Said{kNotFound, 7, "", ""}));
  EXPECT_EQ(peer.one(kIncr, "n", number64(5) + number64(-7)).value, "-7");
  EXPECT_EQ(peer.one(kIncr, "n", number64(-3)), (Said{kOk, 7, "", "-10"}));
  EXPECT_EQ(peer.one(kGet, "n").value, "-10");
  peer.status(kSet, "n", "ten");
  EXPECT_EQ(peer.status(kIncr, "n", number64(1)), kNotANumber);
  peer.status(kSet, "n", "9223372036854775807");
  EXPECT_EQ(peer.status(kIncr, "n", number64(1)), kNotANumber);
  EXPECT_EQ(peer.status(kIncr, "n", std::string(12, '\0')), kBadArgument);
}

TEST_F(Kv1Request, AppendAndPrependExtendWhatIsThere) {
  EXPECT_EQ(peer.status(kAppend, "k", "x"), kNotStored);
  EXPECT_EQ(peer.status(kPrepend, "k", "x"), kNotStored);
  peer.status(kSet, "k", "b");
  EXPECT_EQ(peer.status(kAppend, "k", "c"), kOk);
  EXPECT_EQ(peer.status(kPrepend, "k", "a"), kOk);
  EXPECT_EQ(peer.one(kGet, "k").value, "abc");
}

TEST_F(Kv1Request, TouchChangesTheTtl) {
  EXPECT_EQ(peer.status(kTouch, "k", number64(100)), kNotFound);
  peer.status(kSet, "k", "v");
  EXPECT_EQ(peer.status(kTouch, "k", number64(100)), kOk);
  EXPECT_EQ(parse_meta(peer.one(kGetMeta, "k").value)->meta.ttl_ms, 100U);
  EXPECT_EQ(peer.status(kTouch, "k", number64(0)), kOk);
  EXPECT_EQ(parse_meta(peer.one(kGetMeta, "k").value)->meta.ttl_ms, 0U);
}

std::string listed(std::string_view key) {
  return bytes_of(static_cast<std::uint16_t>(key.size())).append(key);
}

TEST_F(Kv1Request, MgetAnswersEachKeyThatIsThere) {
  peer.status(kSet, "a", "1");
  peer.status(kSet, "c", "3");
  EXPECT_EQ(
      peer.ask(frame(kMultiGet, 9, "", listed("a") + listed("b") + listed("c"))),
      (std::vector<Said>{{kPartial, 9, "a", "1"}, {kPartial, 9, "c", "3"}, {kOk, 9, "", ""}}));
  EXPECT_EQ(peer.ask(frame(kMultiGet, 9)), (std::vector<Said>{{kOk, 9, "", ""}}));
}

TEST_F(Kv1Request, MgetRefusesKeysThatAreNone) {
  peer.status(kSet, "a", "1");
  EXPECT_EQ(peer.status(kMultiGet, "", listed("a") + listed("")), kBadArgument);
  EXPECT_EQ(peer.status(kMultiGet, "", listed("a") + std::string(1, '\0')), kBadArgument);
  EXPECT_EQ(peer.status(kMultiGet, "", listed("a") + std::string("\0\x05xy", 4)), kBadArgument);
  EXPECT_EQ(peer.status(kMultiGet, "", listed(std::string(2'049, 'k'))), kKeyLength);
}

void fill(Peer& peer, int items) {
  for (int i = 0; i < items; ++i) {
    const std::string key = (i % 2 == 0 ? "/even/" : "/odd/") + std::to_string(i);
    ASSERT_EQ(peer.status(kSet, key, std::to_string(i)), kOk);
  }
}

TEST_F(Kv1Request, ScanTellsEachItemOfAPrefixOnceOverItsPages) {
  fill(peer, 1'000);
  std::multiset<std::string> keys;
  std::uint64_t cursor = 0;
  int pages = 0;
  do {
    const auto said = peer.ask(frame(kScan, 9, "/even/", scan_from(cursor, 50)));
    ASSERT_EQ(said.back().status, kOk);
    for (std::size_t i = 0; i + 1 < said.size(); ++i) {
      EXPECT_EQ(said[i].status, kPartial);
      EXPECT_EQ(said[i].key, "/even/" + said[i].value);
      keys.insert(said[i].key);
    }
    cursor = number_at<std::uint64_t>(said.back().value);
    ++pages;
  } while (cursor != 0);
  EXPECT_EQ(keys.size(), 500U);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 500U);
  EXPECT_GT(pages, 5);
}

TEST_F(Kv1Request, ScanOfNothingAndFromBeyondTheEndAreOver) {
  EXPECT_EQ(peer.ask(frame(kScan, 9, "", scan_from(0, 10))),
            (std::vector<Said>{{kOk, 9, "", number64(0)}}));
  EXPECT_EQ(peer.one(kScan, "", scan_from(~std::uint64_t{0}, 10)).value, number64(0));
  EXPECT_EQ(peer.status(kScan, "", scan_from(0, 0)), kBadArgument);
}

TEST_F(Kv1Request, DelPrefixRemovesWhatBeginsWithIt) {
  fill(peer, 1'000);
  EXPECT_EQ(peer.one(kDelPrefix, "/odd/"), (Said{kOk, 7, "", number64(500)}));
  EXPECT_EQ(peer.one(kDelPrefix, "/odd/").value, number64(0));
  EXPECT_EQ(peer.status(kGet, "/odd/1"), kNotFound);
  EXPECT_EQ(peer.status(kGet, "/even/0"), kOk);
}

// What it removes waits for the end of its batch, and the store notes only so much.
TEST_F(Kv1Request, FlushGoesOnInAnotherTurnWhenMuchWaitsForThisOne) {
  Server large({}, std::size_t{16} << 20);
  Peer client(large);
  for (int i = 0; i < 40'000; ++i) {
    ASSERT_EQ(large.store->write({.key = std::to_string(i)}).answer, Answer::kOk);
  }
  EXPECT_EQ(client.status(kFlush), kOk);
  EXPECT_EQ(statistics(*large.store).items, 0U);
  large.next_turn();
  for (std::uint32_t i = 0; i < large.store->mapping().shards.size(); ++i) {
    EXPECT_TRUE(tend(*large.store, i));
  }
  EXPECT_EQ(statistics(*large.store).collections, 0U);
}

TEST_F(Kv1Request, FlushRemovesAll) {
  fill(peer, 100);
  EXPECT_EQ(peer.one(kFlush), (Said{kOk, 7, "", ""}));
  EXPECT_EQ(peer.one(kScan, "", scan_from(0, 1'000)).value, number64(0));
}

TEST_F(Kv1Request, StatsAreLinesOfNameAndValue) {
  peer.status(kSet, "k", "v");
  const std::string text = peer.one(kStats).value;
  EXPECT_NE(text.find("items 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("worker_writes 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(Kv1Request, WithoutARowIsUnknownAndTheConnectionStays) {
  for (const int type : {0x14, 0x15, 0x18, 0x19, 0x1f, 0x7f}) {
    const Said said = peer.one(static_cast<std::uint8_t>(type), "k", "v");
    EXPECT_EQ(said.status, kUnknownType) << type;
    EXPECT_FALSE(said.value.empty()) << "text for a person";
  }
  EXPECT_EQ(peer.status(kPing), kOk);
}

std::string right_value(const Row& row) { return std::string(row.value.least, '\0'); }

// What the table says of keys, values and RID 0 holds for each of its rows.
TEST_F(Kv1Request, OfEachRowKeepsToItsForm) {
  for (int type = 0; type < 0x80; ++type) {
    const Row* row = row_of(static_cast<std::uint8_t>(type));
    if (row == nullptr) continue;
    const std::string right = right_value(*row);
    if (row->key == KeyForm::kKey) {
      EXPECT_EQ(peer.status(row->code, "", right), kBadArgument) << row->name;
    }
    if (row->key == KeyForm::kNone) {
      EXPECT_EQ(peer.status(row->code, "key", right), kBadArgument) << row->name;
    }
    const std::string key = row->key == KeyForm::kNone ? "" : "key";
    if (row->value.least > 0) {
      EXPECT_EQ(peer.status(row->code, key, right.substr(1)), kBadArgument) << row->name;
    }
    if (row->value.most != kAnyValue.most) {
      const std::string longer(row->value.most + 1, '\0');
      EXPECT_EQ(peer.status(row->code, key, longer), kBadArgument) << row->name;
    }
    if (!row->writes) {
      const auto said = peer.ask(frame(row->code, 0, key, right));
      ASSERT_EQ(said.size(), 1U) << row->name;
      EXPECT_EQ(said[0].status, kBadArgument) << row->name;
      EXPECT_EQ(said[0].rid, 0U);
    }
  }
}

TEST_F(Kv1Request, WithRid0IsQuietWhenItIsWell) {
  peer.send(frame(kSet, 0, "n", "1") + frame(kIncr, 0, "n", number64(1)) +
            frame(kSet, 0, "k", "v") + frame(kDelPrefix, 0, "k"));
  peer.let_it_work();
  EXPECT_TRUE(peer.take().empty());
  EXPECT_EQ(peer.one(kGet, "n").value, "2");
  EXPECT_EQ(peer.ask(frame(kDel, 0, "absent")), (std::vector<Said>{{kNotFound, 0, "", ""}}));
  EXPECT_EQ(peer.ask(frame(kAdd, 0, "n", "x")), (std::vector<Said>{{kNotStored, 0, "", ""}}));
}

TEST_F(Kv1Request, OfAStrangerIsDeniedUntilHeSaysTheToken) {
  server.service.token = "secret";
  Peer stranger(server);
  EXPECT_EQ(stranger.status(kHello), kOk) << "it tells that a token is needed";
  EXPECT_EQ(stranger.status(kGet, "k"), kDenied);
  EXPECT_EQ(stranger.status(kSet, "k", "v"), kDenied);
  for (const auto* wrong : {"", "secre", "secrets", "Secret", "secretsecret"})
    EXPECT_EQ(stranger.status(kAuth, "", wrong), kDenied) << wrong;
  EXPECT_EQ(stranger.status(kAuth, "", "secret"), kOk);
  EXPECT_EQ(stranger.status(kGet, "k"), kNotFound) << "the SET was denied";
  EXPECT_EQ(stranger.status(kAuth, "", "wrong"), kDenied);
  EXPECT_EQ(stranger.status(kGet, "k"), kDenied);
  EXPECT_EQ(server.count(Count::kDenied), 9U);
}

TEST_F(Kv1Request, AuthWhereNobodyNeedsATokenIsOk) { EXPECT_EQ(peer.status(kAuth, "", "x"), kOk); }

}  // namespace
}  // namespace kvs::kv1

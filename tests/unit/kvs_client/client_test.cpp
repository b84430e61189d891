// A method for each request: what it sends, and what it makes of the answer. RIDs count from 1, so
// an answer can be there before its request; not before the one before it, which would read it.
#include "modules/kvs/client/client.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "modules/kvs/kv1/big_endian.h"
#include "tests/unit/kvs_client/scripted_peer.h"

namespace kvs::client {
namespace {

using std::string_literals::operator""s;

std::string u64(std::uint64_t number) {
  std::string bytes;
  kv1::append_number(bytes, number);
  return bytes;
}

std::string meta(std::uint32_t flags, std::uint64_t ttl_ms, std::uint64_t cas) {
  std::string bytes;
  kv1::append_meta(bytes, {flags, ttl_ms, cas});
  return bytes;
}

// A request that answers OK or not, and nothing else.
struct Order {
  const char* name;
  std::function<Outcome<drover::Done>(Client&)> give;
  Heard sends;
};

void PrintTo(const Order& row, std::ostream* out) { *out << row.name; }

class OrderTest : public ::testing::TestWithParam<Order> {};

TEST_P(OrderTest, IsSentAsTheProtocolSaysAndTellsTheStatus) {
  ScriptedPeer peer;
  Client client = peer.client();

  peer.says(frame(kv1::kOk, 1, "", ""));
  const auto good = GetParam().give(client);
  peer.says(frame(kv1::kNotStored, 2, "", "it is there"));
  const auto refused = GetParam().give(client);

  ASSERT_TRUE(good.ok() && refused.ok());
  EXPECT_TRUE(good.value().is_ok());
  EXPECT_EQ(refused.value().status, kv1::kNotStored);
  EXPECT_EQ(refused.value().text, "it is there");
  EXPECT_EQ(peer.hears(), GetParam().sends);
}

INSTANTIATE_TEST_SUITE_P(
    All, OrderTest,
    ::testing::Values(
        Order{"auth", [](Client& c) { return c.auth("secret"); }, {kv1::kAuth, 1, "", "secret"}},
        Order{
            "set", [](Client& c) { return c.set("k\0"s, "v\0"s); }, {kv1::kSet, 1, "k\0"s, "v\0"s}},
        Order{"set_meta",
              [](Client& c) {
                return c.set_meta("k", "v", {1, 2, 3});
              },
              {kv1::kSetMeta, 1, "k", meta(1, 2, 3) + "v"}},
        Order{"add", [](Client& c) { return c.add("k", "v"); }, {kv1::kAdd, 1, "k", "v"}},
        Order{
            "replace", [](Client& c) { return c.replace("k", "v"); }, {kv1::kReplace, 1, "k", "v"}},
        Order{"append", [](Client& c) { return c.append("k", "v"); }, {kv1::kAppend, 1, "k", "v"}},
        Order{
            "prepend", [](Client& c) { return c.prepend("k", "v"); }, {kv1::kPrepend, 1, "k", "v"}},
        Order{"touch",
              [](Client& c) { return c.touch("k", std::chrono::seconds(3)); },
              {kv1::kTouch, 1, "k", u64(3000)}},
        Order{"del", [](Client& c) { return c.del("k"); }, {kv1::kDel, 1, "k", ""}},
        Order{"flush", [](Client& c) { return c.flush(); }, {kv1::kFlush, 1, "", ""}}),
    [](const auto& row) { return row.param.name; });

class ClientTest : public ::testing::Test {
 protected:
  ScriptedPeer peer_;
  Client client_ = peer_.client();
};

TEST_F(ClientTest, GetsAValue) {
  peer_.says(frame(kv1::kOk, 1, "", "v\0\n"s));
  EXPECT_EQ(client_.get("key").value().value, "v\0\n"s);

  peer_.says(frame(kv1::kNotFound, 2, "", ""));
  EXPECT_EQ(client_.get("other").value().status, kv1::kNotFound);

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kGet, 1, "key", ""}));
}

TEST_F(ClientTest, GetsAPingBack) {
  peer_.says(frame(kv1::kOk, 1, "", "hello"));

  EXPECT_EQ(client_.ping("hello").value().value, "hello");

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kPing, 1, "", "hello"}));
}

TEST_F(ClientTest, LearnsTheLimitsOfAServerThatMayHaveMoreToSay) {
  peer_.says(frame(kv1::kOk, 1, "", "\0\x01\x08\0\0\x10\0\0\0\0\0\x05 and more"s));

  const ServerLimits limits = client_.hello().value().value;

  EXPECT_EQ(limits.version, 1);
  EXPECT_EQ(limits.key_bytes, 2048);
  EXPECT_EQ(limits.value_bytes, 1U << 20);
  EXPECT_EQ(limits.features, 5);
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kHello, 1, "", ""}));
}

TEST_F(ClientTest, FindsTheLongestPrefix) {
  peer_.says(frame(kv1::kOk, 1, "/a", "found"));

  const Item match = client_.lpm("/a/b").value().value;

  EXPECT_EQ(match.key, "/a");
  EXPECT_EQ(match.value, "found");
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kLpm, 1, "/a/b", ""}));
}

TEST_F(ClientTest, GetsWhatIsKnownOfAnItem) {
  peer_.says(frame(kv1::kOk, 1, "", meta(7, 8, 9) + "value"));
  const MetaItem item = client_.get_meta("key").value().value;
  peer_.says(frame(kv1::kOk, 2, "/a", meta(1, 2, 3) + "found"));
  const MetaItem match = client_.lpm_meta("/a/b", 2).value().value;

  EXPECT_EQ(item.value, "value");
  EXPECT_EQ(item.meta.flags, 7);
  EXPECT_EQ(item.meta.ttl_ms, 8);
  EXPECT_EQ(item.meta.cas, 9);
  EXPECT_EQ(match.key, "/a");
  EXPECT_EQ(match.value, "found");
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kGetMeta, 1, "key", ""}));
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kLpmMeta, 2, "/a/b", meta(2, 0, 0)}));
}

TEST_F(ClientTest, CountsUpAndDown) {
  peer_.says(frame(kv1::kOk, 1, "", "-9223372036854775808"));
  EXPECT_EQ(client_.incr("k", -1).value().value, std::numeric_limits<std::int64_t>::min());
  peer_.says(frame(kv1::kOk, 2, "", "12"));
  EXPECT_EQ(client_.incr("k", 2, 10).value().value, 12);

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kIncr, 1, "k", std::string(8, '\xff')}));
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kIncr, 2, "k", u64(2) + u64(10)}));
}

TEST_F(ClientTest, GetsSeveralKeysAtOnce) {
  peer_.says(frame(kv1::kPartial, 1, "b", "2") + frame(kv1::kPartial, 1, "a", "1") +
             frame(kv1::kOk, 1, "", ""));

  const std::vector<Item> items = client_.multi_get({"a", "bb", ""}).value().value;

  ASSERT_EQ(items.size(), 2);
  EXPECT_EQ(items[0].key + items[0].value + items[1].key + items[1].value, "b2a1");
  EXPECT_EQ(peer_.hears(),
            (Heard{kv1::kMultiGet, 1, "", "\0\x01"s + "a" + "\0\x02"s + "bb" + "\0\0"s}));
}

TEST_F(ClientTest, ScansPageByPage) {
  peer_.says(frame(kv1::kPartial, 1, "/a", "1") + frame(kv1::kPartial, 1, "/b", "2") +
             frame(kv1::kOk, 1, "", u64(0x0102030405060708)));
  const Page page = client_.scan("/", 0, 2).value().value;
  peer_.says(frame(kv1::kOk, 2, "", u64(0)));
  const Page last = client_.scan("/", page.next_cursor, 2).value().value;

  EXPECT_EQ(page.items.size(), 2);
  EXPECT_EQ(page.next_cursor, 0x0102030405060708);
  EXPECT_TRUE(last.items.empty());
  EXPECT_EQ(last.next_cursor, 0);
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kScan, 1, "/", u64(0) + "\0\0\0\x02"s}));
  EXPECT_EQ(peer_.hears(), (Heard{kv1::kScan, 2, "/", u64(page.next_cursor) + "\0\0\0\x02"s}));
}

TEST_F(ClientTest, CountsWhatItDeletes) {
  peer_.says(frame(kv1::kOk, 1, "", u64(12345)));

  EXPECT_EQ(client_.delete_prefix("/").value().value, 12345);

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kDelPrefix, 1, "/", ""}));
}

TEST_F(ClientTest, GetsStatistics) {
  peer_.says(frame(kv1::kOk, 1, "", "items 1\n"));

  EXPECT_EQ(client_.stats().value().value, "items 1\n");

  EXPECT_EQ(peer_.hears(), (Heard{kv1::kStats, 1, "", ""}));
}

TEST_F(ClientTest, AKeyThatCannotBeSentIsAnErrorAndTheConnectionGoesOn) {
  const auto refused = client_.get(std::string(65'536, 'k'));
  const auto listed = client_.multi_get({std::string(65'536, 'k')});
  peer_.says(frame(kv1::kOk, 1, "", "v"));

  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message(), "a key of 65536 bytes; the longest has 65535");
  EXPECT_FALSE(listed.ok());
  EXPECT_EQ(client_.get("k").value().value, "v");
}

// An answer whose value is not what this request's must be.
struct Nonsense {
  const char* name;
  std::function<bool(Client&)> ask;  // whether it was understood
  std::string value;
};

void PrintTo(const Nonsense& row, std::ostream* out) { *out << row.name; }

class NonsenseTest : public ::testing::TestWithParam<Nonsense> {};

TEST_P(NonsenseTest, EndsTheConnection) {
  ScriptedPeer peer;
  Client client = peer.client();
  peer.says(frame(kv1::kOk, 1, "", GetParam().value));

  EXPECT_FALSE(GetParam().ask(client));
  const auto later = client.get("k");

  ASSERT_FALSE(later.ok());
  EXPECT_EQ(later.error().message(), "the server's answer makes no sense");
}

INSTANTIATE_TEST_SUITE_P(
    All, NonsenseTest,
    ::testing::Values(
        Nonsense{"hello", [](Client& c) { return c.hello().ok(); }, std::string(11, '\0')},
        Nonsense{"meta", [](Client& c) { return c.get_meta("k").ok(); }, std::string(23, '\0')},
        Nonsense{"reserved", [](Client& c) { return c.lpm_meta("k").ok(); }, std::string(24, '\1')},
        Nonsense{"no_number", [](Client& c) { return c.incr("k", 1).ok(); }, "12x"},
        Nonsense{"empty_number", [](Client& c) { return c.incr("k", 1).ok(); }, ""},
        Nonsense{"large_number", [](Client& c) { return c.incr("k", 1).ok(); },
                 "9223372036854775808"},
        Nonsense{"cursor", [](Client& c) { return c.scan("", 0, 1).ok(); }, std::string(7, '\0')},
        Nonsense{"count", [](Client& c) { return c.delete_prefix("").ok(); },
                 std::string(9, '\0')}),
    [](const auto& row) { return row.param.name; });

TEST(Describe, NamesTheStatusAndIsSafeForATerminal) {
  EXPECT_EQ(describe(kv1::kNotFound, ""), "NOT_FOUND");
  EXPECT_EQ(describe(kv1::kNoSpace, "full\x1b[2J"), "NO_SPACE: \"full\\x1b[2J\"");
  EXPECT_EQ(describe(static_cast<kv1::Status>(0x99), ""), "status 0x99");
}

}  // namespace
}  // namespace kvs::client

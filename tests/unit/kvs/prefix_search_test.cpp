#include "modules/kvs/store/prefix_search.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "tests/unit/kvs/keys.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::longest;
using testing::store_all;
using testing::TestStore;

TEST(KvsPrefixSearch, FindsTheLongestOfBytes) {
  const TestStore store;
  store_all(*store, {"/", "/foo", "/foo/", "/foo/bar", "/foobar", "f"});

  EXPECT_EQ(longest(*store, "/foo/bar/baz"), "/foo/bar");
  EXPECT_EQ(longest(*store, "/foo/barb"), "/foo/bar");
  EXPECT_EQ(longest(*store, "/foo/ba"), "/foo/");
  EXPECT_EQ(longest(*store, "/foo/"), "/foo/");
  EXPECT_EQ(longest(*store, "/foo"), "/foo");
  EXPECT_EQ(longest(*store, "/foobar/x"), "/foobar");
  EXPECT_EQ(longest(*store, "/fo"), "/");
  EXPECT_EQ(longest(*store, "fx"), "f");
  EXPECT_EQ(longest(*store, "x"), "(not found)");
  EXPECT_EQ(longest(*store, ""), "(not found)");
}

TEST(KvsPrefixSearch, FindsTheLongestOfSegments) {
  const TestStore store;
  store_all(*store, {"/foo", "/foo/bar"});

  EXPECT_EQ(longest(*store, "/foo", Match::kSegment), "/foo");
  EXPECT_EQ(longest(*store, "/foo/", Match::kSegment), "/foo");
  EXPECT_EQ(longest(*store, "/foo/ba", Match::kSegment), "/foo");
  EXPECT_EQ(longest(*store, "/foo/barbara", Match::kSegment), "/foo");
  EXPECT_EQ(longest(*store, "/foo/bar/", Match::kSegment), "/foo/bar");
  EXPECT_EQ(longest(*store, "/foobar", Match::kSegment), "(not found)");
  store_all(*store, {"/foo/", "/foo/bar/", "x"});
  EXPECT_EQ(longest(*store, "/foo/ba", Match::kSegment), "/foo/");
  EXPECT_EQ(longest(*store, "/foo/bar/x", Match::kSegment), "/foo/bar/");
  EXPECT_EQ(longest(*store, "x/y", Match::kSegment), "x");
  EXPECT_EQ(longest(*store, "xy", Match::kSegment), "(not found)");
}

TEST(KvsPrefixSearch, FindsSegmentsOfPathsThatAreLongerThanAnyKey) {
  const TestStore store;
  const std::string key = "/d/" + std::string(kLongestKey - 3, 'x');
  store_all(*store, {key, "/d"});

  EXPECT_EQ(longest(*store, key + "/y", Match::kSegment), key);
  EXPECT_EQ(longest(*store, key + "y", Match::kByte), key);
  EXPECT_EQ(longest(*store, key + "y", Match::kSegment), "/d");
  EXPECT_EQ(longest(*store, std::string(70'000, 'x'), Match::kSegment), "(not found)");
}

TEST(KvsPrefixSearch, FindsTailsOfEveryLength) {
  for (const std::size_t length : {1U, 30U, 31U, 32U, 33U, 47U, 48U, 63U, 64U, 2000U, 65000U}) {
    const TestStore store;
    const std::string key = "/d/" + std::string(length, 'x');
    store_all(*store, {key});
    EXPECT_EQ(longest(*store, key), key);
    EXPECT_EQ(longest(*store, key + "y"), key);
    EXPECT_EQ(longest(*store, key + "/y", Match::kSegment), key);
    EXPECT_EQ(longest(*store, key.substr(0, key.size() - 1)), "(not found)");
  }
}

TEST(KvsPrefixSearch, FindsKeysOfDirectoriesWithoutAMarker) {
  // So few groups that most directories have none.
  const TestStore store(4 * kMiB, {.average_item = 1 << 20, .secret = testing::kSecret});
  ASSERT_LE(store->mapping().markers.size(), 2U);
  for (int i = 0; i < 500; ++i) {
    const std::string key = "/" + std::to_string(i) + "/leaf";
    store_all(*store, {key});
  }
  for (int i = 0; i < 500; ++i) {
    const std::string key = "/" + std::to_string(i) + "/leaf";
    ASSERT_EQ(longest(*store, key + "/and/more"), key);
    ASSERT_EQ(longest(*store, key + "/and/more", Match::kSegment), key);
  }
}

TEST(KvsPrefixSearch, LooksOnlyWhereKeysMayEnd) {
  const TestStore store;
  store_all(*store, {"/a", "/a/b/cc"});
  struct Counting {
    Store* store;
    int* finds;
    [[nodiscard]] TailBits tails(std::uint64_t hash) const {
      return store->mapping().markers_of(hash).tails(hash);
    }
    [[nodiscard]] Found find(std::uint64_t hash, std::string_view key) const {
      ++*finds;
      Mapping& mapping = store->mapping();
      return find_in_chain(mapping.memory, &mapping.bucket_of(hash), hash, key);
    }
    void prefetch(std::uint64_t) const {}
  };
  int finds = 0;
  PrefixSearch<Counting> search(store->hash(), {store.store.get(), &finds});

  const auto found =
      search.find("/a/b/cd/e/f/g/h/i/j/k/l/m", Match::kByte, ChangeWatch(store->mapping().changes));
  ASSERT_EQ(found.end, SearchEnd::kDone);
  EXPECT_EQ(found.match.length, 2U);
  EXPECT_EQ(finds, 2) << "/a/b/cd and /a";
  (void)store->longest_prefix("/a/b/cd/e/f", Match::kByte);
  EXPECT_EQ(store->prefix_probes(), 2U);
}

TEST(KvsMarkers, TellTheLongestTailThatThereMayBe) {
  for (const TailBits tails :
       {TailBits{0}, tail_bit(0), tail_bit(31), tail_bit(32), tail_bit(47), tail_bit(3000),
        tail_bit(7) | tail_bit(kLongestKey), tail_bit(31) | tail_bit(40), kAllTails}) {
    std::size_t longest = kNoTail;
    for (std::size_t most = 0; most <= kLongestKey; ++most) {
      if ((tails & tail_bit(most)) != 0) longest = most;
      ASSERT_EQ(longest_tail(tails, most), longest) << tails << " " << most;
    }
  }
}

// A directory that is one too many for its group, and one that is known.
TEST(KvsMarkers, OfACrowdedGroupKnowItsOwnDirectoriesAndNoOthers) {
  MarkerGroup group{};
  const auto directory = [](std::uint64_t number) { return number << 49 | 0x123456; };
  for (std::uint64_t i = 0; i < 8; ++i) group.set(directory(i), tail_bit(i));
  EXPECT_EQ(group.tails(directory(8)), 0U);

  group.set(directory(8), tail_bit(3));
  group.set(directory(0), tail_bit(500));

  EXPECT_EQ(group.tails(directory(8)), kAllTails);
  EXPECT_EQ(group.tails(directory(0)), tail_bit(0) | tail_bit(500));
  EXPECT_EQ(group.tails(directory(7)), tail_bit(7));
}

// Whatever is stored, and whatever is asked for, a search has an end.
class KvsPrefixBudget : public ::testing::Test {
 protected:
  static constexpr std::size_t kMostLooks = 10'000;

  // How a search for the path is answered, which may not take longer than its budget.
  static Answer search(Store& store, const std::string& path, Match match = Match::kByte) {
    const std::uint64_t before = store.prefix_probes();
    const Answer answer = store.longest_prefix(path, match).answer;
    EXPECT_LE(store.prefix_probes() - before, kMostLooks);
    return answer;
  }
  // All groups of markers are crowded: every length of every directory is tried.
  struct Crowded : TestStore {
    Crowded() {
      for (MarkerGroup& group : store->mapping().markers) {
        for (std::uint64_t other = 1; other <= 9; ++other) group.set(other << 49, tail_bit(0));
      }
    }
  };
};

TEST_F(KvsPrefixBudget, EndsASearchAmongTheLengthsOfAVeryLongKey) {
  const TestStore store;
  const std::string key(kLongestKey, 'x');
  for (std::size_t i = 0; i < kTailRemainders; ++i) store_all(*store, {key.substr(i)});

  EXPECT_EQ(search(*store, key.substr(kTailRemainders)), Answer::kTooCostly);
  EXPECT_EQ(search(*store, key), Answer::kOk);
  EXPECT_EQ(search(*store, "y"), Answer::kNotFound);
}

TEST_F(KvsPrefixBudget, EndsASearchOfManyDirectories) {
  const Crowded store;
  EXPECT_EQ(search(*store, std::string(kLongestKey, '/')), Answer::kTooCostly);
  EXPECT_EQ(search(*store, std::string(kLongestKey, '/'), Match::kSegment), Answer::kTooCostly);
}

TEST_F(KvsPrefixBudget, CountsDirectoriesInWhichNothingIsLookedFor) {
  const TestStore store;
  EXPECT_EQ(search(*store, std::string(kMostLooks - 1, '/')), Answer::kNotFound);
  EXPECT_EQ(search(*store, std::string(kMostLooks, '/')), Answer::kTooCostly);
}

TEST_F(KvsPrefixBudget, CountsWhatIsDoneForADirectoryBeforehand) {
  struct Counting {
    std::size_t* prefetches;
    [[nodiscard]] TailBits tails(std::uint64_t) const { return 0; }
    [[nodiscard]] Found find(std::uint64_t, std::string_view) const { return {}; }
    void prefetch(std::uint64_t) const { ++*prefetches; }
  };
  const TestStore store;
  std::size_t prefetches = 0;
  PrefixSearch<Counting> search(store->hash(), {&prefetches});

  const auto found = search.find(std::string(kLongestKey, '/'), Match::kByte,
                                 ChangeWatch(store->mapping().changes));

  EXPECT_EQ(found.end, SearchEnd::kTooCostly);
  EXPECT_LE(prefetches, kMostLooks + 1);
}

TEST_F(KvsPrefixBudget, IsEnoughForAnyPathOfTwoKibibytes) {
  const Crowded store;
  store_all(*store, {"/7"});
  for (const std::string& rest : {std::string(2045, '/'), std::string(2045, 'x')}) {
    for (const Match match : {Match::kByte, Match::kSegment}) {
      const auto found = store->longest_prefix("/7/" + rest, match);
      EXPECT_EQ(found.answer, Answer::kOk);
      EXPECT_EQ(found.item.key, "/7");
    }
  }
}

// Two passes, for a writer has stopped in the middle of a change.
TEST_F(KvsPrefixBudget, IsEnoughForAnyPathOfTwoKibibytesWhileAWriterIsStopped) {
  const Crowded store;
  store_all(*store, {"/7"});
  store->mapping().changes[0].begin();
  for (const Match match : {Match::kByte, Match::kSegment}) {
    EXPECT_EQ(store->longest_prefix("/7/" + std::string(2045, '/'), match).answer, Answer::kOk);
  }
}

TEST_F(KvsPrefixBudget, CountsTheBucketsOfAChain) {
  // One bucket for all.
  const TestStore store(4 * kMiB,
                        {.shards = 1, .average_item = 1 << 28, .secret = testing::kSecret});
  for (int i = 0; i < 5000; ++i) store_all(*store, {"/" + std::to_string(i) + "/leaf"});
  EXPECT_EQ(search(*store, std::string(1000, 'x')), Answer::kTooCostly);
  EXPECT_EQ(search(*store, "/4711/leaf"), Answer::kOk);
}

}  // namespace
}  // namespace kvs

#include "modules/kvs/store/prefix_search.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

std::string longest(Store& store, std::string_view path, Match match = Match::kByte) {
  const auto found = store.longest_prefix(path, match);
  if (found.answer != Answer::kOk) return std::string("(") + to_string(found.answer) + ")";
  EXPECT_EQ(found.item.value, found.item.key);
  return std::string(found.item.key);
}

void store_all(Store& store, std::initializer_list<std::string_view> keys) {
  for (const auto key : keys)
    ASSERT_EQ(store.write({.key = key, .value = key}).answer, Answer::kOk);
}

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
  for (const std::size_t length : {1U, 50U, 51U, 52U, 53U, 63U, 64U, 127U, 128U, 2000U, 65000U}) {
    const TestStore store;
    const std::string key = "/d/" + std::string(length, 'x');
    store_all(*store, {key});
    EXPECT_EQ(longest(*store, key), key);
    EXPECT_EQ(longest(*store, key + "y"), key);
    EXPECT_EQ(longest(*store, key + "/y", Match::kSegment), key);
    const char* none = length < 10'000 ? "(not found)" : "(too costly)";
    EXPECT_EQ(longest(*store, key.substr(0, key.size() - 1)), none);
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
        for (std::uint64_t other = 1; other <= 5; ++other) group.set(other << 32, tail_bit(0));
      }
    }
  };
};

TEST_F(KvsPrefixBudget, EndsASearchAmongTheLengthsOfAVeryLongKey) {
  const TestStore store;
  const std::string key(kLongestKey, 'x');
  store_all(*store, {key});

  EXPECT_EQ(search(*store, key.substr(1)), Answer::kTooCostly);
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
  EXPECT_EQ(search(*store, std::string(kMostLooks - 2, '/')), Answer::kNotFound);
  EXPECT_EQ(search(*store, std::string(kMostLooks, '/')), Answer::kTooCostly);
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

TEST_F(KvsPrefixBudget, CountsTheBucketsOfAChain) {
  // One bucket for all.
  const TestStore store(4 * kMiB,
                        {.shards = 1, .average_item = 1 << 28, .secret = testing::kSecret});
  for (int i = 0; i < 5000; ++i) store_all(*store, {"/" + std::to_string(i) + "/leaf"});
  EXPECT_EQ(search(*store, std::string(1000, 'x')), Answer::kTooCostly);
  EXPECT_EQ(search(*store, "/4711/leaf"), Answer::kOk);
}

// Runs the steps of other processes between the looks of a search.
struct Scripted {
  Store* store;
  std::function<void(std::string_view)>* before_find;
  [[nodiscard]] TailBits tails(std::uint64_t hash) const {
    return store->mapping().markers_of(hash).tails(hash);
  }
  [[nodiscard]] Found find(std::uint64_t hash, std::string_view key) const {
    (*before_find)(key);
    Mapping& mapping = store->mapping();
    Found found = find_in_chain(mapping.memory, &mapping.bucket_of(hash), hash, key);
    if (found.record != nullptr && found.record->is_expired(store->now_ms()))
      found.record = nullptr;
    return found;
  }
  void prefetch(std::uint64_t) const {}
};

class KvsPrefixSchedule : public ::testing::Test {
 protected:
  void SetUp() override {
    // /a and /a/b in different shards, or one writer would wait for the other.
    ASSERT_NE(shard_of("/a"), shard_of("/a/b"));
    store_all(*store_, {"/a", "/a/b"});
    create_slot_ = find("/a/b").slot;
    create_word_ = find("/a/b").word;
    delete_slot_ = find("/a").slot;
    create_slot_->store(kFreeSlot);  // stored, but not published
  }
  std::uint32_t shard_of(std::string_view key) {
    return store_->mapping().shard_of(store_->hash().of(key));
  }
  Found find(std::string_view key) {
    Mapping& mapping = store_->mapping();
    const std::uint64_t hash = store_->hash().of(key);
    return find_in_chain(mapping.memory, &mapping.bucket_of(hash), hash, key);
  }
  ChangeCounter& change_of(std::string_view key) {
    return store_->mapping().changes[shard_of(key)];
  }
  void publish_create() { create_slot_->store(create_word_, std::memory_order_release); }
  void publish_delete() { delete_slot_->store(kFreeSlot, std::memory_order_release); }

  SearchResult search() {
    PrefixSearch<Scripted> search(store_->hash(), {store_.store.get(), &before_find_});
    return search.find("/a/b/c", Match::kByte, ChangeWatch(store_->mapping().changes));
  }

  TestStore store_{4 * kMiB, {.shards = 16, .secret = testing::kSecret}};
  std::atomic<SlotWord>* create_slot_ = nullptr;
  SlotWord create_word_ = 0;
  std::atomic<SlotWord>* delete_slot_ = nullptr;
  int looks_ = 0;
  std::function<void(std::string_view)> before_find_;
};

// With /a stored, SET /a/b and DEL /a have both begun. A search misses /a/b; both publish; it
// misses /a. At every instant one of the two was there.
TEST_F(KvsPrefixSchedule, FindsTheOneThatCameOrTheOneThatWent) {
  change_of("/a/b").begin();
  change_of("/a").begin();
  before_find_ = [this](std::string_view key) {
    if (key != "/a" || looks_++ > 0) return;
    publish_create();
    publish_delete();
  };

  const auto found = search();

  ASSERT_EQ(found.end, SearchEnd::kDone);
  EXPECT_EQ(found.match.length, std::string_view("/a/b").size());
}

// A create of /a/b is under way and a search has to make two passes. In the middle of the second
// one /a/b is published, and only then /a is overwritten: whoever answers what the second pass saw
// of /a answers what was never the longest.
TEST_F(KvsPrefixSchedule, AnswersWhatWasThereBeforeALongerKeyCame) {
  store_all(*store_, {"/x"});
  const SlotWord overwritten = slot_word(store_->hash().of("/a"), units_of(find("/x").word));
  Record* before = find("/a").record;
  change_of("/a/b").begin();
  before_find_ = [&](std::string_view key) {
    if (key != "/a" || ++looks_ != 2) return;
    publish_create();
    Mapping& mapping = store_->mapping();
    Record* record = record_at(mapping.memory, units_of(overwritten));
    std::copy_n("/a", 2, record->key_begin());
    delete_slot_->store(overwritten, std::memory_order_release);
  };

  const auto found = search();

  ASSERT_EQ(found.end, SearchEnd::kDone);
  EXPECT_EQ(looks_, 2);
  EXPECT_EQ(found.match.record, before);
}

TEST_F(KvsPrefixSchedule, IsNotDeceivedWhenBothBeginInTheMiddle) {
  before_find_ = [this](std::string_view key) {
    if (key != "/a" || looks_++ > 0) return;
    change_of("/a/b").begin();
    publish_create();
    change_of("/a/b").end();
    change_of("/a").begin();
    publish_delete();
    change_of("/a").end();
  };

  const auto found = search();

  ASSERT_EQ(found.end, SearchEnd::kDone);
  EXPECT_EQ(found.match.length, std::string_view("/a/b").size());
}

// The dead never end their changes before somebody repairs their shards; searches go on.
TEST_F(KvsPrefixSchedule, AnswersWhileWritersAreStoppedAtAnyPoint) {
  before_find_ = [](std::string_view) {};
  change_of("/a/b").begin();
  EXPECT_EQ(search().match.length, 2U);
  publish_create();
  EXPECT_EQ(search().match.length, 4U);
  change_of("/a").begin();
  EXPECT_EQ(search().match.length, 4U);
  publish_delete();
  EXPECT_EQ(search().match.length, 4U);
}

// With /a and /a/b stored, of which /a/b is about to expire: for who searches it has, for who then
// touches it, and has taken the time earlier, it has not. Then /a is given a time that is over.
TEST_F(KvsPrefixSchedule, IsNotDeceivedByTimesThatChange) {
  publish_create();
  ASSERT_EQ(store_->touch("/a/b", 1000).answer, Answer::kOk);
  const auto writer = store_.attach();
  writer->set_now(999);
  store_->set_now(1000);
  before_find_ = [&](std::string_view key) {
    if (key != "/a" || looks_++ > 0) return;
    ASSERT_EQ(writer->touch("/a/b", 5000).answer, Answer::kOk);
    ASSERT_EQ(writer->touch("/a", 1000).answer, Answer::kOk);
  };

  const auto found = search();

  ASSERT_EQ(found.end, SearchEnd::kDone);
  EXPECT_EQ(found.match.length, std::string_view("/a/b").size());
}

TEST_F(KvsPrefixSchedule, CountsNoChangeOfAKeyThatStays) {
  const auto begun = [this] {
    return ChangeCounter::begun(change_of("/a").load(std::memory_order_relaxed));
  };
  const std::uint64_t before = begun();
  (void)store_->write({.key = "/a", .value = "other"});
  (void)store_->touch("/a", 3'600'000);
  (void)store_->touch("/a", 7'200'000);
  EXPECT_EQ(begun(), before);
  (void)store_->touch("/a", 1000);
  EXPECT_EQ(begun(), before + 1);
}

TEST_F(KvsPrefixSchedule, GivesUpWhenKeysChangeAllTheTime) {
  before_find_ = [this](std::string_view) {
    change_of("/a").begin();
    change_of("/a").end();
  };
  EXPECT_EQ(search().end, SearchEnd::kUnsettled);
}

// Each pass is within the budget, and all of them are together.
TEST_F(KvsPrefixSchedule, GivesUpALongSearchAfterAFewPasses) {
  before_find_ = [this](std::string_view) {
    ++looks_;
    change_of("/a").begin();
    change_of("/a").end();
  };
  const std::uint64_t root = store_->hash().of("");
  store_->mapping().markers_of(root).set(root, kAllTails);
  PrefixSearch<Scripted> search(store_->hash(), {store_.store.get(), &before_find_});

  const auto found =
      search.find(std::string(200, 'y'), Match::kByte, ChangeWatch(store_->mapping().changes));
  EXPECT_EQ(found.end, SearchEnd::kUnsettled);
  EXPECT_LE(looks_, 10'000);
}

class KvsPrefixDeath : public ::testing::TestWithParam<int> {};

// A writer is killed after so many steps of a create; whoever comes next finds the shard in order.
TEST_P(KvsPrefixDeath, OfAWriterLeavesSearchesRight) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  store_all(*store, {"/a"});
  testing::run_and_kill([&] {
    const auto writer = store.attach();
    Mapping& mapping = writer->mapping();
    const std::uint64_t hash = writer->hash().of("/a/b");
    const std::uint64_t directory = writer->hash().of("/a/");
    LockedShard shard(mapping, 0);
    const std::function<void()> steps[] = {
        [&] { mapping.markers_of(directory).set(directory, tail_bit(1)); },
        [&] { mapping.changes[0].begin(); },
        [&] {
          const Units units = units_of(shard.find(writer->hash().of("/a"), "/a").word);
          mapping.bucket_of(hash).slots[6].store(slot_word(hash, units));
          mapping.bucket_of(hash).slots[6].store(kFreeSlot);
        },
        [&] { mapping.changes[0].end(); },
    };
    for (int i = 0; i < GetParam(); ++i) steps[i]();
    raise(SIGKILL);
  });

  EXPECT_EQ(longest(*store, "/a/b/c"), "/a");
  store_all(*store, {"/a/b"});
  EXPECT_EQ(longest(*store, "/a/b/c"), "/a/b");
  EXPECT_FALSE(
      ChangeCounter::is_under_way(store->mapping().changes[0].load(std::memory_order_relaxed)));
}
INSTANTIATE_TEST_SUITE_P(All, KvsPrefixDeath, ::testing::Range(0, 5));

}  // namespace
}  // namespace kvs

// A prefix search among writers that stop, die or finish at any point of theirs.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "modules/kvs/store/prefix_search.h"
#include "tests/unit/kvs/keys.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::longest;
using testing::store_all;
using testing::TestStore;

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

// Chains of buckets: how they grow, and that they give back what has become empty while others walk
// along them.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "modules/kvs/store/eviction.h"
#include "modules/kvs/store/hash.h"
#include "modules/kvs/store/slices.h"
#include "modules/kvs/store/statistics.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

// One bucket for all.
constexpr Options kOneChain{.shards = 1, .average_item = 1 << 28, .secret = testing::kSecret};

std::string key_of(std::size_t number) { return "key" + std::to_string(number); }

void fill(Store& store, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(store.write({.key = key_of(i), .value = "v"}).answer, Answer::kOk);
  }
}

std::size_t chain_length(Store& store) {
  return visit_chain(store.mapping().memory, &store.mapping().bucket(0, 0),
                     [](auto&, SlotWord) { return false; });
}

void take_all_pages(Store& store) {
  LockedShard shard(store.mapping(), 0);
  while (shard.cells().allocate(kPageBytes) != 0) {
  }
}

TEST(KvsChain, GrowsWhereverThereIsRoom) {
  const TestStore store(kMiB, kOneChain);
  const std::string value(50, 'v');
  static_assert(kCellBytes[size_class_of(Record::bytes_for(1, 50))] % sizeof(Bucket) != 0);
  ASSERT_EQ(store->write({.key = "k", .value = value}).answer, Answer::kOk);
  take_all_pages(*store);

  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(store->write({.key = std::to_string(i), .value = value}).answer, Answer::kOk) << i;
  }
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(store->get(std::to_string(i))) << i;
}

// Two keys whose hashes begin with the same 16 bits.
std::pair<std::string, std::string> keys_of_one_tag() {
  const RollingHash hash(testing::kSecret);
  std::map<std::uint64_t, std::string> seen;
  for (std::size_t i = 0;; ++i) {
    const auto [other, is_new] = seen.emplace(hash.of(key_of(i)) >> 48, key_of(i));
    if (!is_new) return {other->second, key_of(i)};
  }
}

TEST(KvsChain, TellsKeysOfOneTagApart) {
  const TestStore store(kMiB, kOneChain);
  const auto [first, second] = keys_of_one_tag();
  ASSERT_EQ(store->write({.key = first, .value = "1"}).answer, Answer::kOk);
  EXPECT_FALSE(store->get(second));
  ASSERT_EQ(store->write({.key = second, .value = "2"}).answer, Answer::kOk);
  EXPECT_EQ(store->get(first)->value, "1");
  EXPECT_EQ(store->get(second)->value, "2");
  ASSERT_EQ(store->erase(first), Answer::kOk);
  EXPECT_FALSE(store->get(first));
  EXPECT_EQ(store->get(second)->value, "2");
}

// A chain whose second bucket has gone, and waits for this batch as the only place for another.
struct KvsChainThatWaits : ::testing::Test {
  KvsChainThatWaits() {
    fill(*store, kSlotsPerBucket + 1);
    reserved = store->reserve("r", 1);
    take_all_pages(*store);
    {
      LockedShard shard(store->mapping(), 0);
      while (shard.cells().allocate(sizeof(Bucket)) != 0) {
      }
    }
    EXPECT_TRUE(store->get(key_of(0)));
    EXPECT_EQ(store->erase(key_of(kSlotsPerBucket)), Answer::kOk);
    EXPECT_EQ(chain_length(*store), 1U);
  }
  const TestStore store{kMiB, kOneChain};
  Store::Reserved reserved;
};

TEST_F(KvsChainThatWaits, AsksAWriterToTryAgain) {
  ASSERT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kBusy);
  store->end_batch();
  EXPECT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kOk);
  EXPECT_EQ(store->get("k")->value, "v");
}

TEST_F(KvsChainThatWaits, LeavesAReservationAsItWas) {
  ASSERT_EQ(reserved.answer, Answer::kOk);
  reserved.reservation.value[0] = 'r';
  ASSERT_EQ(store->commit(reserved.reservation, {.key = "r"}).answer, Answer::kBusy);
  store->end_batch();
  EXPECT_EQ(store->commit(reserved.reservation, {.key = "r"}).answer, Answer::kOk);
  EXPECT_EQ(store->get("r")->value, "r");
}

TEST(KvsChain, ThatCannotGrowGivesUpAnItem) {
  const TestStore store(kMiB, kOneChain, {.eviction = Eviction::kClock});
  static_assert(kCellBytes[size_class_of(Record::bytes_for(2, 1))] < sizeof(Bucket));
  ASSERT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kOk);
  take_all_pages(*store);

  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(i == 0 || store->get("0"));
    store->end_batch();
    ASSERT_EQ(store->write({.key = std::to_string(i), .value = "v"}).answer, Answer::kOk) << i;
    EXPECT_TRUE(store->get(std::to_string(i))) << i;
  }
  EXPECT_EQ(statistics(*store).items, kSlotsPerBucket);
  EXPECT_EQ(statistics(*store).evicted, 21 - kSlotsPerBucket);
}

TEST(KvsChain, IsAsLongAsItsItemsNeed) {
  const TestStore store(kMiB, kOneChain);
  fill(*store, 4 * kSlotsPerBucket);
  ASSERT_EQ(chain_length(*store), 4U);
  // In the middle, at the end, and what is not the last of its bucket.
  for (std::size_t i = kSlotsPerBucket; i < 2 * kSlotsPerBucket; ++i) {
    EXPECT_EQ(chain_length(*store), 4U) << i;
    ASSERT_EQ(store->erase(key_of(i)), Answer::kOk);
  }
  EXPECT_EQ(chain_length(*store), 3U);
  for (std::size_t i = 3 * kSlotsPerBucket; i < 4 * kSlotsPerBucket; ++i) {
    EXPECT_EQ(chain_length(*store), 3U) << i;
    ASSERT_EQ(store->erase(key_of(i)), Answer::kOk);
  }
  EXPECT_EQ(chain_length(*store), 2U);
  for (std::size_t i = 0; i < kSlotsPerBucket; ++i) ASSERT_EQ(store->erase(key_of(i)), Answer::kOk);
  EXPECT_EQ(chain_length(*store), 2U) << "the first bucket stays";
  for (std::size_t i = 2 * kSlotsPerBucket; i < 3 * kSlotsPerBucket; ++i) {
    EXPECT_TRUE(store->get(key_of(i))) << i;
  }
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsChain, GivesAllMemoryBackWhenTheStoreIsEmptied) {
  const TestStore store(kMiB, kOneChain);
  fill(*store, 2000);
  ASSERT_GT(chain_length(*store), 200U);

  for (Slice slice; !slice.is_last; store->end_batch()) {
    slice = remove_prefix(*store, "", slice.cursor, {});
  }
  EXPECT_TRUE(tend(*store, 0));

  EXPECT_EQ(chain_length(*store), 1U);
  const Statistics now = statistics(*store);
  EXPECT_EQ(now.free_pages, now.pages);
  EXPECT_EQ(now.retired, 0U);
}

TEST(KvsChain, IsShortenedByWhatExpires) {
  const TestStore store(kMiB, kOneChain);
  for (std::size_t i = 0; i < 3 * kSlotsPerBucket; ++i) {
    ASSERT_EQ(store->write({.key = key_of(i), .expires_ms = 10}).answer, Answer::kOk);
  }
  store->set_now(10);
  (void)remove_expired(*store, 0, {});
  EXPECT_EQ(chain_length(*store), 1U);
}

TEST(KvsChain, IsShortenedByAnEviction) {
  const TestStore store(kMiB, kOneChain, {.eviction = Eviction::kClock});
  fill(*store, 3 * kSlotsPerBucket);
  {
    LockedShard shard(store->mapping(), 0);
    for (int i = 0; i < 3; ++i) {
      (void)Clock(shard, store->hash(), "").make_room(Record::bytes_for(4, 1));
    }
  }
  ASSERT_EQ(statistics(*store).items, 0U);
  EXPECT_EQ(chain_length(*store), 1U);
  EXPECT_EQ(testing::audit(*store), "");
}

// A reader stops at any item of a chain. Meanwhile a writer empties some of its buckets, and stores
// others where there is room now, and more than before, so that every cell that could be used again
// is. The reader goes on, and sees what stayed, each item once, and nothing that is none.
class KvsChainSchedule : public ::testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::size_t kBuckets = 4;
  static constexpr std::size_t kItems = kBuckets * kSlotsPerBucket;

  static bool goes(std::size_t number) { return (GetParam() >> number / kSlotsPerBucket & 1) != 0; }

  void change() {
    for (std::size_t i = 0; i < kItems; ++i) {
      if (!goes(i)) continue;
      ASSERT_EQ(writer_->erase(key_of(i)), Answer::kOk);
    }
    for (std::size_t i = 0; i < 3 * kItems; ++i) {
      ASSERT_EQ(writer_->write({.key = "new" + std::to_string(i)}).answer, Answer::kOk);
    }
    ASSERT_TRUE(tend(*writer_, 0));
  }
  // Of whole records, how often each was seen; `between` comes after so many.
  std::map<std::string, int> walk(std::size_t pause) {
    std::map<std::string, int> seen;
    const Memory& memory = store_->mapping().memory;
    std::size_t visited = 0;
    visit_chain(memory, &store_->mapping().bucket(0, 0), [&](auto&, SlotWord word) {
      Record* record = record_at(memory, units_of(word));
      EXPECT_NE(record, nullptr);
      if (record != nullptr) ++seen[std::string(record->key())];
      if (visited++ == pause) change();
      return false;
    });
    return seen;
  }

  TestStore store_{kMiB, kOneChain};
  std::unique_ptr<Store> writer_ = store_.attach();
};

TEST_P(KvsChainSchedule, ShowsAReaderWhatStaysHoweverItIsShortened) {
  for (std::size_t pause = 0; pause < kItems && !HasFailure(); ++pause) {
    for (Slice slice; !slice.is_last;) slice = remove_prefix(*writer_, "", slice.cursor, {});
    writer_->end_batch();
    fill(*writer_, kItems);
    store_->begin_reading();

    auto seen = walk(pause);

    store_->end_batch();
    for (std::size_t i = 0; i < kItems; ++i) {
      const int times = seen[key_of(i)];
      EXPECT_EQ(times, goes(i) && times == 0 ? 0 : 1) << key_of(i) << ", stopped at " << pause;
      seen.erase(key_of(i));
    }
    for (const auto& [key, times] : seen) {
      EXPECT_TRUE(key.starts_with("new") && times == 1) << key << ", stopped at " << pause;
    }
    ASSERT_EQ(testing::audit(*store_), "");
  }
}
// Each set of buckets; the first one of them stays where it is.
INSTANTIATE_TEST_SUITE_P(All, KvsChainSchedule, ::testing::Range(0U, 16U));

}  // namespace
}  // namespace kvs

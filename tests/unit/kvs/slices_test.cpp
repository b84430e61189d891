#include "modules/kvs/store/slices.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "modules/kvs/store/statistics.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

void fill(Store& store, const std::string& prefix, int count, std::uint64_t expires_ms = 0) {
  for (int i = 0; i < count; ++i) {
    const std::string key = prefix + std::to_string(i);
    ASSERT_EQ(store.write({.key = key, .value = key, .expires_ms = expires_ms}).answer,
              Answer::kOk);
  }
}

// How often each key was seen over all slices; between them something may happen.
std::map<std::string, int> scan_all(
    Store& store, std::string_view prefix, const SliceLimits& limits,
    const std::function<void()>& between = [] {}) {
  std::map<std::string, int> seen;
  for (Slice slice; !slice.is_last; between()) {
    slice = scan(store, prefix, slice.cursor, limits,
                 [&](const Item& item) { ++seen[std::string(item.key)]; });
    store.end_batch();
  }
  return seen;
}

TEST(KvsScan, VisitsEachItemOfAPrefixOnce) {
  const TestStore store;
  fill(*store, "/a/", 500);
  fill(*store, "/b/", 500);

  const auto seen = scan_all(*store, "/a/", {.buckets = 7, .items = 5});

  EXPECT_EQ(seen.size(), 500U);
  for (const auto& [key, times] : seen) EXPECT_EQ(times, 1) << key;
  EXPECT_EQ(scan_all(*store, "", {}).size(), 1000U);
}

TEST(KvsScan, VisitsWhatIsThereAllTheTimeWhileOthersComeAndGo) {
  const TestStore store(16 * kMiB, {.average_item = 1 << 20, .secret = testing::kSecret});
  const auto other = store.attach();
  fill(*store, "/stays/", 300);
  int round = 0;
  const auto seen = scan_all(*store, "/stays/", {.buckets = 1}, [&] {
    const std::string number = std::to_string(++round % 300);
    (void)other->write({.key = "/stays/" + number,
                        .value = std::string(static_cast<std::size_t>(round) % 3000, 'v')});
    (void)other->write({.key = "/goes/" + number});
    (void)other->erase("/goes/" + std::to_string((round + 150) % 300));
  });
  EXPECT_EQ(seen.size(), 300U);
}

TEST(KvsScan, EndsWithTheBucketInWhichALimitIsReached) {
  const TestStore store;
  fill(*store, "k", 1000);
  const auto nothing = [](const Item&) {};
  const Slice by_items = scan(*store, "", 0, {.items = 10}, nothing);
  EXPECT_GE(by_items.items, 10U);
  EXPECT_LE(by_items.items, 10U + 20U);
  EXPECT_EQ(scan(*store, "", 5, {.buckets = 3}, nothing).cursor, 8U);
}

TEST(KvsScan, TakesAnyCursor) {
  const TestStore store;
  const Slice slice = scan(*store, "", ~std::uint64_t{0}, {}, [](const Item&) { FAIL(); });
  EXPECT_TRUE(slice.is_last);
}

TEST(KvsRemovePrefix, RemovesWhatBeginsWithItAndNothingElse) {
  const TestStore store;
  fill(*store, "/a/", 300);
  fill(*store, "/b/", 300);
  std::uint64_t removed = 0;
  for (Slice slice; !slice.is_last;) {
    slice = remove_prefix(*store, "/a/", slice.cursor, {.buckets = 10});
    removed += slice.items;
  }
  EXPECT_EQ(removed, 300U);
  EXPECT_EQ(statistics(*store).items, 300U);
  EXPECT_FALSE(store->get("/a/7"));
  EXPECT_TRUE(store->get("/b/7"));
}

TEST(KvsRemovePrefix, OfNothingEmptiesTheStore) {
  const TestStore store;
  fill(*store, "/a/", 3000);
  Slice slice;
  while (!slice.is_last) slice = remove_prefix(*store, "", slice.cursor, {});
  store->end_batch();
  EXPECT_EQ(statistics(*store).items, 0U);
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsRemovePrefix, EndsASliceBeforeTooManyCellsWaitForItsEnd) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  fill(*store, "/a/", 5000);
  std::uint64_t removed = 0;
  for (Slice slice; !slice.is_last;) {
    slice = remove_prefix(*store, "", slice.cursor, {.buckets = 1 << 20, .items = 1 << 20});
    removed += slice.items;
    EXPECT_LE(slice.items, RetiredCells::kMost);
    store->end_batch();
  }
  EXPECT_EQ(removed, 5000U);
  EXPECT_EQ(statistics(*store).collections, 0U);
}

TEST(KvsRemovePrefix, GoesOnWhileAReaderStandsStill) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  fill(*store, "/a/", 3000);
  const auto reader = store.attach();
  (void)reader->get("/a/1");
  int slices = 0;
  for (Slice slice; !slice.is_last; ++slices) {
    ASSERT_LT(slices, 5000);
    slice = remove_prefix(*store, "", slice.cursor, {});
    store->end_batch();
  }
  EXPECT_EQ(statistics(*store).items, 0U);
  reader->end_batch();
  EXPECT_EQ(testing::audit(*store), "");
}

// What is pinned does not come back by the end of a batch.
TEST(KvsRemovePrefix, GoesOnWhileMuchIsPinned) {
  const TestStore store(8 * kMiB, {.shards = 1, .secret = testing::kSecret});
  std::vector<std::unique_ptr<Store>> readers;
  for (int reader = 0; reader < 25; ++reader) {
    readers.push_back(store.attach());
    for (std::size_t pin = 0; pin < kPinsPerReader; ++pin) {
      ASSERT_EQ(store->write({.key = "pinned"}).answer, Answer::kOk);
      ASSERT_TRUE(readers.back()->pin(*readers.back()->get("pinned")));
      ASSERT_EQ(store->erase("pinned"), Answer::kOk);
    }
    readers.back()->end_batch();
  }
  fill(*store, "/a/", 1000);
  int slices = 0;
  for (Slice slice; !slice.is_last; ++slices) {
    slice = remove_prefix(*store, "", slice.cursor, {.buckets = 1 << 20, .items = 1 << 20});
    store->end_batch();
  }
  EXPECT_LE(slices, 20);
  EXPECT_EQ(statistics(*store).collections, 0U);
}

TEST(KvsRemovePrefix, SaysThatItIsBusyAndWhereToGoOn) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  fill(*store, "k", 10);
  const auto other = store.attach();
  Slice slice;
  {
    const LockedShard held(other->mapping(), 0);
    slice = remove_prefix(*store, "", 0, {.buckets = 1 << 20});
    EXPECT_TRUE(slice.is_busy);
    EXPECT_FALSE(slice.is_last);
  }
  slice = remove_prefix(*store, "", slice.cursor, {.buckets = 1 << 20});
  EXPECT_TRUE(slice.is_last);
  EXPECT_EQ(slice.items, 10U);
}

TEST(KvsRemoveExpired, RemovesThemAndNothingElse) {
  const TestStore store;
  store->set_now(50);
  fill(*store, "/old/", 300, 100);
  fill(*store, "/new/", 300, 200);
  fill(*store, "/ever/", 300);
  store->set_now(100);

  const Slice slice = remove_expired(*store, 0, {.buckets = 1 << 20, .items = 1 << 20});

  EXPECT_TRUE(slice.is_last);
  EXPECT_EQ(slice.items, 300U);
  const Statistics now = statistics(*store);
  EXPECT_EQ(now.items, 600U);
  EXPECT_EQ(now.expired, 300U);
}

TEST(KvsTend, RepairsAShardThatNobodyWritesTo) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  testing::run_and_kill([&] {
    const auto writer = store.attach();
    LockedShard shard(writer->mapping(), 0);
    (void)shard.allocate(100'000);
    raise(SIGKILL);
  });
  EXPECT_TRUE(tend(*store, 0));
  EXPECT_TRUE(tend(*store, 0));
  const Statistics now = statistics(*store);
  EXPECT_EQ(now.repairs, 1U);
  EXPECT_EQ(now.free_pages, now.pages);
}

// Hints about them that were written over.
TEST(KvsTend, FindsPagesThatNobodyLooksAt) {
  const TestStore store(4 * kMiB, {.shards = 2, .secret = testing::kSecret});
  PageHints& hints = store->mapping().globals.pages;
  hints.from_bottom.store(store->mapping().pages.count());
  hints.from_top.store(store->mapping().pages.count());
  EXPECT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kNoSpace);

  for (std::uint32_t shard = 0; shard < 2; ++shard) EXPECT_TRUE(tend(*store, shard));

  EXPECT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kOk);
  EXPECT_EQ(store->write({.key = "l", .value = std::string(200'000, 'v')}).answer, Answer::kOk);
}

TEST(KvsStatistics, CountWhatThereIs) {
  const TestStore store;
  const auto reader = store.attach();
  (void)store->write({.key = "key", .value = "value"});
  (void)store->write({.key = "key", .value = "other"});
  (void)reader->get("key");

  const Statistics now = statistics(*store);

  EXPECT_EQ(now.items, 1U);
  EXPECT_EQ(now.cell_bytes, kCellBytes[size_class_of(Record::bytes_for(3, 5))]);
  EXPECT_EQ(now.retired, 1U);
  EXPECT_EQ(now.readers, 1U);
  EXPECT_EQ(now.free_pages, now.pages - 1);
}

}  // namespace
}  // namespace kvs

#include "modules/kvs/store/eviction.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "modules/kvs/store/slices.h"
#include "modules/kvs/store/statistics.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

constexpr Settings kEvicting{.eviction = Eviction::kClock};

TEST(KvsEviction, IsNotDoneUnlessAskedFor) {
  const TestStore store(kMiB);
  Answer answer = Answer::kOk;
  for (int i = 0; answer == Answer::kOk; ++i) {
    answer = store->write({.key = "k" + std::to_string(i), .value = std::string(1000, 'v')}).answer;
  }
  EXPECT_EQ(answer, Answer::kNoSpace);
  EXPECT_TRUE(store->get("k0"));
  EXPECT_EQ(statistics(*store).evicted, 0U);
}

TEST(KvsEviction, MakesRoomForEver) {
  const TestStore store(kMiB, {.secret = testing::kSecret}, kEvicting);
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "k" + std::to_string(i);
    ASSERT_EQ(store->write({.key = key, .value = std::string(1000, 'v')}).answer, Answer::kOk) << i;
    ASSERT_TRUE(store->get(key));
    if (i % 8 == 0) store->end_batch();
  }
  EXPECT_GT(statistics(*store).items, 200U) << "and no more than must go goes";
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsEviction, MakesRoomForOtherSizes) {
  const TestStore store(2 * kMiB, {.secret = testing::kSecret}, kEvicting);
  std::mt19937 random(5);
  for (const std::size_t size : {50U, 3000U, 200U, 20'000U, 900U}) {
    for (int i = 0; i < 3000; ++i) {
      const std::string key = "k" + std::to_string(random());
      Answer answer = Answer::kBusy;
      for (int tries = 0; tries < 4 && answer == Answer::kBusy; ++tries) {
        answer = store->write({.key = key, .value = std::string(size, 'v')}).answer;
      }
      ASSERT_EQ(answer, Answer::kOk) << size << " " << i;
    }
  }
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsEviction, SparesWhatIsRead) {
  const TestStore store(kMiB, {.secret = testing::kSecret}, kEvicting);
  (void)store->write({.key = "read", .value = std::string(1000, 'v')});
  (void)store->write({.key = "not read", .value = std::string(1000, 'v')});
  for (int i = 0; i < 5000; ++i) {
    (void)store->write({.key = "k" + std::to_string(i), .value = std::string(1000, 'v')});
    ASSERT_TRUE(store->get("read")) << i;
    store->end_batch();
  }
  EXPECT_FALSE(store->get("not read"));
}

TEST(KvsEviction, TakesSomeItemsOfAPageAtATime) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  for (int i = 0; statistics(*store).evicted == 0; ++i) {
    (void)store->write({.key = std::to_string(i)});
  }
  const auto evicted = [&] { return statistics(*store).evicted; };

  Answer answer = Answer::kBusy;
  for (int tries = 0; answer == Answer::kBusy; ++tries) {
    ASSERT_LT(tries, 10);
    const std::uint64_t before = evicted();
    answer = store->write({.key = "large", .value = std::string(30'000, 'v')}).answer;
    EXPECT_LE(evicted() - before, 512U + 16U);
  }
  EXPECT_EQ(answer, Answer::kOk);
  EXPECT_LE(evicted(), kCellsPerPage + 500U) << "of one page";
  EXPECT_EQ(testing::audit(*store), "");
}

// What a batch keeps from being used is no lack of space.
TEST(KvsEviction, IsBusyUntilTheBatchEndsThatIsInTheWay) {
  const TestStore store(kMiB, {.secret = testing::kSecret}, kEvicting);
  const auto fill = [&] {
    Answer answer = Answer::kOk;
    for (int i = 0; i < 5000 && answer == Answer::kOk; ++i) {
      const std::string key = "k" + std::to_string(i);
      answer = store->write({.key = key, .value = std::string(1000, 'v')}).answer;
    }
    return answer;
  };
  (void)store->get("k");
  EXPECT_EQ(fill(), Answer::kBusy);
  store->end_batch();
  EXPECT_EQ(fill(), Answer::kOk);

  // So it is while another one's is, which ends, too.
  const auto reader = store.attach();
  (void)reader->get("k");
  EXPECT_EQ(fill(), Answer::kBusy);
  (void)store->get("k");
  EXPECT_EQ(fill(), Answer::kBusy) << "its own batch began later";
  store->end_batch();
  reader->end_batch();
  EXPECT_EQ(fill(), Answer::kOk);
}

// Of two thirds of the memory there is never another one beside it.
TEST(KvsEviction, SparesTheOldValueOfAKeyThatCannotBeWritten) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  const std::string old(2 * kMiB, 'o');
  ASSERT_EQ(store->write({.key = "k", .value = old}).answer, Answer::kOk);

  EXPECT_EQ(store->write({.key = "k", .value = std::string(2 * kMiB, 'n')}).answer,
            Answer::kNoSpace);
  EXPECT_EQ(store->reserve("k", 2 * kMiB).answer, Answer::kNoSpace);

  ASSERT_TRUE(store->get("k"));
  EXPECT_EQ(store->get("k")->value, old);
}

// What is pinned does not come back by waiting.
TEST(KvsEviction, GoesOnWhileMuchIsPinned) {
  const TestStore store(2 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  std::vector<std::unique_ptr<Store>> readers;
  const std::string value(1000, 'v');
  for (int reader = 0; reader < 5; ++reader) {
    readers.push_back(store.attach());
    for (std::size_t pin = 0; pin < kPinsPerReader; ++pin) {
      const std::string key = "p" + std::to_string(reader) + "." + std::to_string(pin);
      ASSERT_EQ(store->write({.key = key, .value = value}).answer, Answer::kOk);
      ASSERT_TRUE(readers.back()->pin(*readers.back()->get(key)));
      ASSERT_EQ(store->erase(key), Answer::kOk);
    }
    readers.back()->end_batch();
  }
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(store->write({.key = "k" + std::to_string(i), .value = value}).answer, Answer::kOk)
        << i;
  }
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsEviction, GivesUpWhileAReaderIsStopped) {
  const TestStore store(kMiB, {.secret = testing::kSecret}, kEvicting);
  const auto reader = store.attach();
  (void)reader->get("k");
  Answer answer = Answer::kOk;
  for (int i = 0; i < 5000 && answer == Answer::kOk; ++i) {
    answer = store->write({.key = "k" + std::to_string(i), .value = std::string(1000, 'v')}).answer;
  }
  EXPECT_EQ(answer, Answer::kBusy);
  for (int i = 0; i < 100; ++i) {
    (void)store->write({.key = "l" + std::to_string(i), .value = std::string(1000, 'v')});
  }
  EXPECT_GT(statistics(*store).items, 300U) << "it is not emptied in vain";
  reader->end_batch();
  EXPECT_EQ(store->write({.key = "k", .value = std::string(1000, 'v')}).answer, Answer::kOk);
  EXPECT_EQ(testing::audit(*store), "");
}

// A page may have become another shard's since it was looked at.
TEST(KvsEviction, TouchesNothingOfAnotherShard) {
  const TestStore store(kMiB, {.shards = 2, .secret = testing::kSecret}, kEvicting);
  Mapping& mapping = store->mapping();
  std::string key = "k";
  while (mapping.shard_of(store->hash().of(key)) != 1) key += 'k';
  ASSERT_EQ(store->write({.key = key, .value = "v"}).answer, Answer::kOk);
  const PageInfo info = mapping.pages.info(0);
  PageUse use = mapping.pages.use_of(0);
  ASSERT_EQ(use.shard, 1);
  mapping.pages.give_back(0, 1);
  use.shard = 0;
  ASSERT_EQ(mapping.pages.take(use), 0U);
  mapping.pages.info(0) = info;

  LockedShard shard(mapping, 0);
  (void)Clock(shard, store->hash(), "").make_room(kCellBytes[use.size_class]);

  EXPECT_TRUE(store->get(key));
  EXPECT_EQ(statistics(*store).evicted, 0U);
}

TEST(KvsEviction, MakesRoomForAPageAmongSmallItems) {
  const TestStore store(2 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  for (int i = 0; statistics(*store).evicted == 0; ++i) {
    (void)store->write({.key = std::to_string(i), .value = std::string(1000, 'v')});
  }
  EXPECT_EQ(store->write({.key = "page", .value = std::string(40'000, 'v')}).answer, Answer::kOk);
  EXPECT_EQ(testing::audit(*store), "");
}

// Whoever waits for the shard's lock waits for that.
TEST(KvsEviction, LooksAtSomeCellsAtATime) {
  const TestStore store(8 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  constexpr int kItems = 50'000;
  for (int i = 0; i < kItems; ++i) {
    ASSERT_EQ(store->write({.key = std::to_string(i)}).answer, Answer::kOk);
    ASSERT_TRUE(store->get(std::to_string(i)));
    store->end_batch();
  }
  LockedShard shard(store->mapping(), 0);
  (void)Clock(shard, store->hash(), "").make_room(kSmallestCell);

  int spared = 0;
  for (int i = 0; i < kItems; ++i) {
    const std::string key = std::to_string(i);
    const Found found = shard.find(store->hash().of(key), key);
    if (found.record != nullptr && found.record->accesses.load() == 0) ++spared;
  }
  EXPECT_LE(spared, 4 * static_cast<int>(kCellsPerPage));
}

TEST(KvsEviction, SparesALargeValueThatIsRead) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  ASSERT_EQ(store->write({.key = "hot", .value = std::string(kMiB, 'v')}).answer, Answer::kOk);
  for (int i = 0; statistics(*store).evicted == 0; ++i) {
    ASSERT_TRUE(store->get("hot"));
    store->end_batch();
    (void)store->write({.key = std::to_string(i), .value = std::string(1000, 'v')});
  }
  EXPECT_EQ(store->write({.key = "small", .value = std::string(100, 'v')}).answer, Answer::kOk);
  EXPECT_TRUE(store->get("hot"));
}

TEST(KvsEviction, TakesNoMoreOfWhatIsLargeThanIsNeeded) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret}, kEvicting);
  const auto write = [&](int i) {
    return store->write({.key = std::to_string(i), .value = std::string(40'000, 'v')}).answer;
  };
  for (int i = 0; i < 200; ++i) {
    const std::uint64_t before = statistics(*store).evicted;
    ASSERT_EQ(write(i), Answer::kOk);
    ASSERT_LE(statistics(*store).evicted - before, 1U);
  }
}

// The others have all of the memory.
TEST(KvsEviction, MakesRoomForAShardThatHasNothing) {
  const TestStore store(2 * kMiB, {.shards = 2, .secret = testing::kSecret}, kEvicting);
  const auto key_in = [&](std::uint32_t shard, std::string key) {
    while (store->mapping().shard_of(store->hash().of(key)) != shard) key += '.';
    return key;
  };
  for (const std::size_t size : {100U, 1000U, 40'000U}) {
    const std::string value(1000, 'v');
    for (int i = 0; i < 4000; ++i) {
      const std::string key = key_in(0, std::to_string(i));
      ASSERT_EQ(store->write({.key = key, .value = value}).answer, Answer::kOk);
    }
    const std::string key = key_in(1, "k");
    Answer answer = Answer::kBusy;
    for (int tries = 0; tries < 4 && answer == Answer::kBusy; ++tries) {
      answer = store->write({.key = key, .value = std::string(size, 'v')}).answer;
    }
    EXPECT_EQ(answer, Answer::kOk) << size;
    ASSERT_TRUE(answer != Answer::kOk || store->erase(key) == Answer::kOk);
    ASSERT_TRUE(tend(*store, 1));
  }
  EXPECT_EQ(testing::audit(*store), "");
}

}  // namespace
}  // namespace kvs

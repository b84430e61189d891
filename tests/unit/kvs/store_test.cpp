#include "modules/kvs/store/store.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

std::string value_of(Store& store, std::string_view key) {
  const auto item = store.get(key);
  return item ? std::string(item->value) : "(none)";
}

TEST(KvsStore, GivesBackWhatWasStored) {
  const TestStore store;
  const Written written =
      store->write({.key = "key", .value = "value", .flags = 7, .expires_ms = 99});
  ASSERT_EQ(written.answer, Answer::kOk);

  const auto item = store->get("key");

  ASSERT_TRUE(item);
  EXPECT_EQ(item->key, "key");
  EXPECT_EQ(item->value, "value");
  EXPECT_EQ(item->flags, 7U);
  EXPECT_EQ(item->expires_ms, 99U);
  EXPECT_EQ(item->cas, written.cas);
  EXPECT_FALSE(store->get("other"));
}

TEST(KvsStore, HasFlagsAndATimeOnlyWhereOneIsGiven) {
  const TestStore store;
  const Write writes[] = {{.key = "a", .value = "v"},
                          {.key = "b", .value = "v", .flags = 7},
                          {.key = "c", .value = "v", .expires_ms = 99}};
  for (const Write& write : writes) {
    ASSERT_EQ(store->write(write).answer, Answer::kOk);
    const Item item = *store->get(write.key);
    EXPECT_EQ(item.key, write.key);
    EXPECT_EQ(item.value, "v");
    EXPECT_EQ(item.flags, write.flags);
    EXPECT_EQ(item.expires_ms, write.expires_ms);
    Record& record =
        *record_at(store->mapping().memory, units_of_key(store->mapping().memory, item.key.data()));
    EXPECT_EQ(record.key().data(), item.key.data());
    EXPECT_EQ(record.bytes(), Record::bytes_for(1, 1, write.key != "a"));
  }
  ASSERT_EQ(store->touch("a", 50).answer, Answer::kOk);
  ASSERT_EQ(store->touch("c", 0).answer, Answer::kOk);
  EXPECT_EQ(store->get("a")->expires_ms, 50U);
  EXPECT_EQ(store->get("c")->expires_ms, 0U);
  EXPECT_EQ(testing::audit(*store), "");
}

TEST(KvsStore, ShowsEachProcessWhatAnotherStored) {
  const TestStore store;
  const auto other = store.attach();
  ASSERT_EQ(store->write({.key = "key", .value = "value"}).answer, Answer::kOk);
  EXPECT_EQ(value_of(*other, "key"), "value");
}

TEST(KvsStore, TakesKeysAndValuesOfAnyBytes) {
  const TestStore store;
  const std::string key("\0\xff/\n", 4);
  const std::string value("\0\0", 2);
  ASSERT_EQ(store->write({.key = key, .value = value}).answer, Answer::kOk);
  EXPECT_EQ(value_of(*store, key), value);
  ASSERT_EQ(store->write({.key = "empty"}).answer, Answer::kOk);
  EXPECT_EQ(value_of(*store, "empty"), "");
}

TEST(KvsStore, RefusesKeysThatAreNone) {
  const TestStore store;
  EXPECT_EQ(store->write({.key = ""}).answer, Answer::kTooLarge);
  EXPECT_EQ(store->write({.key = std::string(kLongestKey + 1, 'k')}).answer, Answer::kTooLarge);
  EXPECT_EQ(store->write({.key = std::string(kLongestKey, 'k')}).answer, Answer::kOk);
  EXPECT_FALSE(store->get(""));
}

TEST(KvsStore, StoresUnderAConditionOnly) {
  const TestStore store;
  const auto write = [&](Condition condition, std::string_view value) {
    return store->write({.key = "k", .value = value, .condition = condition}).answer;
  };
  EXPECT_EQ(write(Condition::kIfPresent, "1"), Answer::kNotStored);
  EXPECT_EQ(write(Condition::kIfAbsent, "2"), Answer::kOk);
  EXPECT_EQ(write(Condition::kIfAbsent, "3"), Answer::kNotStored);
  EXPECT_EQ(value_of(*store, "k"), "2");
  EXPECT_EQ(write(Condition::kIfPresent, "4"), Answer::kOk);
  EXPECT_EQ(value_of(*store, "k"), "4");
}

TEST(KvsStore, ComparesCas) {
  const TestStore store;
  EXPECT_EQ(store->write({.key = "k", .cas = 5}).answer, Answer::kNotFound);
  const auto first = store->write({.key = "k", .value = "1"});
  const auto second = store->write({.key = "k", .value = "2", .cas = first.cas});
  EXPECT_EQ(second.answer, Answer::kOk);
  EXPECT_NE(second.cas, first.cas);
  EXPECT_EQ(store->write({.key = "k", .value = "3", .cas = first.cas}).answer, Answer::kExists);
  EXPECT_EQ(value_of(*store, "k"), "2");
}

TEST(KvsStore, ErasesOnce) {
  const TestStore store;
  (void)store->write({.key = "k"});
  EXPECT_EQ(store->erase("k"), Answer::kOk);
  EXPECT_EQ(store->erase("k"), Answer::kNotFound);
  EXPECT_FALSE(store->get("k"));
}

TEST(KvsStore, ForgetsWhatHasExpired) {
  const TestStore store;
  store->set_now(1000);
  (void)store->write({.key = "k", .value = "v", .expires_ms = 2000});
  store->set_now(1999);
  EXPECT_TRUE(store->get("k"));
  store->set_now(2000);
  EXPECT_FALSE(store->get("k"));
  EXPECT_EQ(store->longest_prefix("k/more", Match::kByte).answer, Answer::kNotFound);
  EXPECT_EQ(store->touch("k", 0).answer, Answer::kNotFound);
  EXPECT_EQ(store->append("k", "w").answer, Answer::kNotStored);
  EXPECT_EQ(store->write({.key = "k", .condition = Condition::kIfPresent}).answer,
            Answer::kNotStored);
  EXPECT_EQ(store->erase("k"), Answer::kNotFound);
}

TEST(KvsStore, TouchChangesTheTimeOnly) {
  const TestStore store;
  const auto before = store->write({.key = "k", .value = "v", .flags = 3, .expires_ms = 10});
  const auto after = store->touch("k", 20);
  ASSERT_EQ(after.answer, Answer::kOk);
  EXPECT_NE(after.cas, before.cas);
  const auto item = store->get("k");
  ASSERT_TRUE(item);
  EXPECT_EQ(item->expires_ms, 20U);
  EXPECT_EQ(item->value, "v");
  EXPECT_EQ(item->flags, 3U);
}

TEST(KvsStore, AppendsAndPrepends) {
  const TestStore store;
  EXPECT_EQ(store->append("k", "b").answer, Answer::kNotStored);
  (void)store->write({.key = "k", .value = "b", .flags = 3, .expires_ms = 10});
  EXPECT_EQ(store->append("k", "c").answer, Answer::kOk);
  EXPECT_EQ(store->prepend("k", "a").answer, Answer::kOk);
  EXPECT_EQ(value_of(*store, "k"), "abc");
  EXPECT_EQ(store->get("k")->flags, 3U);
  EXPECT_EQ(store->get("k")->expires_ms, 10U);
}

TEST(KvsStore, AddsToDecimalNumbers) {
  const TestStore store;
  EXPECT_EQ(store->add("n", 5).answer, Answer::kNotFound);
  EXPECT_EQ(store->add("n", 5, 100).value, 100);
  EXPECT_EQ(store->add("n", 5, 100).value, 105);
  EXPECT_EQ(store->add("n", -110).value, -5);
  EXPECT_EQ(value_of(*store, "n"), "-5");
}

TEST(KvsStore, AddsToNothingThatIsNoNumberOf64Bits) {
  const TestStore store;
  for (const std::string text : {"", "x", "1x", " 1", "99999999999999999999"}) {
    (void)store->write({.key = "n", .value = text});
    EXPECT_EQ(store->add("n", 1).answer, Answer::kNotANumber) << text;
    EXPECT_EQ(value_of(*store, "n"), text);
  }
  (void)store->add("m", 0, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(store->add("m", 1).answer, Answer::kNotANumber);
}

TEST(KvsStore, KeepsManyMoreItemsThanItHasSlotsFor) {
  const TestStore store(4 * kMiB, {.average_item = 1 << 20, .secret = testing::kSecret});
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_EQ(store->write({.key = key, .value = key}).answer, Answer::kOk) << i;
  }
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key" + std::to_string(i);
    ASSERT_EQ(value_of(*store, key), key);
  }
}

TEST(KvsStore, KeepsTheOldValueWhenTheNewOneHasNoRoom) {
  const TestStore store(kMiB);
  ASSERT_EQ(store->write({.key = "k", .value = "old"}).answer, Answer::kOk);
  EXPECT_EQ(store->write({.key = "k", .value = std::string(8 * kMiB, 'x')}).answer,
            Answer::kNoSpace);
  EXPECT_EQ(value_of(*store, "k"), "old");
}

TEST(KvsStore, HasRoomForEverySizeAfterItWasFullOfAnother) {
  const TestStore store(2 * kMiB);
  for (const std::size_t size : {100U, 30'000U, 100'000U, 1000U}) {
    const std::string value(size, 'v');
    int stored = 0;
    while (store->write({.key = "k" + std::to_string(stored), .value = value}).answer ==
           Answer::kOk) {
      ++stored;
    }
    EXPECT_GT(stored * static_cast<int>(size), static_cast<int>(kMiB) / 3) << size;
    for (int i = 0; i < stored; ++i) {
      ASSERT_EQ(store->erase("k" + std::to_string(i)), Answer::kOk);
    }
  }
}

TEST(KvsStore, OverwritesForEverInLittleMemory) {
  const TestStore store(kMiB);
  const std::string value(3000, 'v');
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(store->write({.key = "k" + std::to_string(i % 20), .value = value}).answer,
              Answer::kOk)
        << i;
  }
}

TEST(KvsStore, IsBusyWhileAnotherHoldsTheShardAndReadsGoOn) {
  const TestStore store(4 * kMiB, {.shards = 1, .secret = testing::kSecret});
  (void)store->write({.key = "k", .value = "v"});
  const auto other = store.attach();
  {
    const LockedShard held(other->mapping(), 0);
    ASSERT_TRUE(held);
    EXPECT_EQ(store->write({.key = "k", .value = "w"}).answer, Answer::kBusy);
    EXPECT_EQ(store->erase("k"), Answer::kBusy);
    EXPECT_EQ(value_of(*store, "k"), "v");
    EXPECT_EQ(store->longest_prefix("k/x", Match::kByte).answer, Answer::kOk);
  }
  EXPECT_EQ(store->write({.key = "k", .value = "w"}).answer, Answer::kOk);
}

TEST(KvsStore, StoresAReservedValueWhenItIsCommitted) {
  const TestStore store;
  const auto reserved = store->reserve("k", 5);
  ASSERT_EQ(reserved.answer, Answer::kOk);
  EXPECT_FALSE(store->get("k"));
  std::copy_n("value", 5, reserved.reservation.value.begin());

  EXPECT_EQ(store->commit(reserved.reservation, {.key = "k", .flags = 2}).answer, Answer::kOk);

  EXPECT_EQ(value_of(*store, "k"), "value");
  EXPECT_EQ(store->get("k")->flags, 2U);
}

TEST(KvsStore, GivesBackAReservationThatIsCancelledOrMayNotBeStored) {
  const TestStore store(kMiB);
  (void)store->write({.key = "k", .value = "v"});
  for (int i = 0; i < 50; ++i) {
    const auto cancelled = store->reserve("large", kMiB / 3);
    ASSERT_EQ(cancelled.answer, Answer::kOk) << i;
    store->cancel(cancelled.reservation);
    const auto refused = store->reserve("k", kMiB / 3);
    ASSERT_EQ(refused.answer, Answer::kOk) << i;
    ASSERT_EQ(
        store->commit(refused.reservation, {.key = "k", .condition = Condition::kIfAbsent}).answer,
        Answer::kNotStored);
  }
}

}  // namespace
}  // namespace kvs

// Whose memory is used again, and when.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::audit;
using testing::kMiB;
using testing::run_and_kill;
using testing::TestStore;

const std::string kLarge(100'000, 'v');

// How often it can be overwritten before there is no room; at most `limit` times.
int overwrite(Store& store, const std::string& value, int limit) {
  int done = 0;
  while (done < limit && store.write({.key = "k", .value = value}).answer == Answer::kOk) ++done;
  return done;
}

TEST(KvsReclaim, WaitsForAReaderAndNoLonger) {
  const TestStore store(kMiB);
  const auto reader = store.attach();
  (void)store->write({.key = "k", .value = kLarge});
  const auto item = reader->get("k");
  ASSERT_TRUE(item);

  EXPECT_LT(overwrite(*store, std::string(100'000, 'w'), 50), 50) << "and then there is no room";
  EXPECT_EQ(item->value, kLarge);

  reader->end_batch();
  EXPECT_EQ(overwrite(*store, kLarge, 50), 50);
}

TEST(KvsReclaim, LeavesWhatIsPinned) {
  const TestStore store(kMiB);
  const auto reader = store.attach();
  (void)store->write({.key = "k", .value = kLarge});
  const auto item = reader->get("k");
  const auto pin = reader->pin(*item);
  ASSERT_TRUE(pin);
  reader->end_batch();

  EXPECT_EQ(overwrite(*store, std::string(100'000, 'w'), 50), 50);
  EXPECT_EQ(item->value, kLarge);
  reader->unpin(*pin);
  EXPECT_EQ(overwrite(*store, kLarge, 50), 50);
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, HasSomePinsAndReservationsForAProcess) {
  const TestStore store;
  (void)store->write({.key = "k"});
  const auto item = store->get("k");
  auto last = store->pin(*item);
  for (std::size_t i = 1; i < kPinsPerReader; ++i) EXPECT_TRUE(store->pin(*item));
  EXPECT_FALSE(store->pin(*item));

  auto reserved = store->reserve("other", 10);
  for (std::size_t i = 1; i < kReservationsPerReader; ++i) {
    EXPECT_EQ(store->reserve("other", 10).answer, Answer::kOk);
  }
  EXPECT_EQ(store->reserve("other", 10).answer, Answer::kTooManyReserved);

  store->unpin(*last);
  EXPECT_TRUE(store->pin(*item));
  store->cancel(reserved.reservation);
  EXPECT_EQ(store->reserve("other", 10).answer, Answer::kOk);
}

TEST(KvsReclaim, DoesNotWaitForADeadReader) {
  const TestStore store(kMiB);
  (void)store->write({.key = "k", .value = kLarge});
  run_and_kill([&] {
    const auto reader = store.attach();
    (void)reader->pin(*reader->get("k"));
    raise(SIGKILL);
  });
  EXPECT_EQ(overwrite(*store, kLarge, 50), 50);
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, FindsWhatADeadProcessHadReserved) {
  const TestStore store(kMiB);
  for (int i = 0; i < 20; ++i) {
    run_and_kill([&] {
      const auto writer = store.attach();
      if (writer->reserve("k", kMiB / 3).answer != Answer::kOk) _exit(1);
      raise(SIGKILL);
    });
    ASSERT_EQ(overwrite(*store, std::string(kMiB / 3, 'v'), 1), 1) << i;
    ASSERT_EQ(store->erase("k"), Answer::kOk);
  }
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, LeavesWhatALivingProcessHasReserved) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto writer = store.attach();
  const auto reserved = writer->reserve("mine", 1000);
  ASSERT_EQ(reserved.answer, Answer::kOk);
  std::fill(reserved.reservation.value.begin(), reserved.reservation.value.end(), 'm');
  store->mapping().readers.abandon(0);
  for (int i = 0; i < 1000; ++i) {
    (void)store->write({.key = "k" + std::to_string(i % 50), .value = std::string(990, 'x')});
  }

  EXPECT_EQ(writer->commit(reserved.reservation, {.key = "mine"}).answer, Answer::kOk);
  EXPECT_EQ(store->get("mine")->value, std::string(1000, 'm'));
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, CollectsOnceThoughSomethingStaysReserved) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto writer = store.attach();
  const auto reserved = writer->reserve("mine", 1000);
  ASSERT_EQ(reserved.answer, Answer::kOk);
  store->mapping().readers.abandon(0);

  ASSERT_EQ(overwrite(*store, "value", 1000), 1000);

  EXPECT_EQ(store->mapping().shards[0].counters.collections.load(), 1U);
  writer->cancel(reserved.reservation);
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, FreesAtTheEndOfABatchWhatWasCancelledWhileTheShardWasBusy) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto other = store.attach();
  const auto reserved = store->reserve("k", 1000);
  ASSERT_EQ(reserved.answer, Answer::kOk);
  {
    const LockedShard held(other->mapping(), 0);
    store->cancel(reserved.reservation);
    store->end_batch();
    EXPECT_EQ(store->mapping().readers.held().size(), 1U) << "nobody else may have it yet";
  }
  store->end_batch();

  EXPECT_EQ(store->mapping().readers.held().size(), 0U);
  EXPECT_EQ(LockedShard(store->mapping(), 0).cells().count_used(), 0U);
  EXPECT_EQ(store->mapping().shards[0].counters.collections.load(), 0U);
}

// Who clears the slot of a dead process may die himself.
TEST(KvsReclaim, FindsWhatWasHalfLetGo) {
  for (const bool is_abandoned : {false, true}) {
    const TestStore store(2 * kMiB, {.shards = 1, .secret = testing::kSecret});
    run_and_kill([&] {
      const auto writer = store.attach();
      if (writer->reserve("k", kMiB / 2).answer != Answer::kOk) _exit(1);
      for (ReaderSlot& slot : store->mapping().reader_slots) {
        for (auto& hold : slot.holds) {
          if (hold.load() != 0) hold.store(hold.load() | kLetGo);
        }
      }
      if (is_abandoned) store->mapping().readers.abandon(0);
      raise(SIGKILL);
    });
    EXPECT_EQ(audit(*store), "");
    EXPECT_EQ(store->mapping().pages.use_of(0).kind, PageKind::kFree);
    EXPECT_EQ(overwrite(*store, std::string(kMiB / 2, 'v'), 2), 2) << is_abandoned;
  }
}

TEST(KvsReclaim, FindsWhatFellOutOfTheListOfTheRetired) {
  const TestStore store(2 * kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto reader = store.attach();
  (void)reader->get("k");
  const int most = 3 * static_cast<int>(RetiredCells::kMost);
  ASSERT_EQ(overwrite(*store, "value", most), most);
  reader->end_batch();

  ASSERT_EQ(overwrite(*store, "value", most), most);
  EXPECT_GT(store->mapping().shards[0].counters.collections.load(), 0U);
  EXPECT_EQ(audit(*store), "");
}

// Each look at all readers begins an epoch.
TEST(KvsReclaim, LooksAtTheReadersNowAndThenWhileOneStandsStill) {
  const TestStore store(2 * kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto reader = store.attach();
  (void)reader->get("k");
  const int most = static_cast<int>(RetiredCells::kMost);
  ASSERT_EQ(overwrite(*store, "value", most + 1), most + 1);
  const Epoch before = store->mapping().readers.retire_epoch();

  ASSERT_EQ(overwrite(*store, "value", 640), 640);

  EXPECT_LE(store->mapping().readers.retire_epoch() - before, 100U);
}

TEST(KvsReclaim, KnowsAgainWhatIsPinnedWhenItsNoteWasLost) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto reader = store.attach();
  (void)store->write({.key = "k", .value = "v"});
  ASSERT_TRUE(reader->pin(*reader->get("k")));
  reader->end_batch();
  ASSERT_EQ(store->erase("k"), Answer::kOk);
  LockedShard shard(store->mapping(), 0);
  shard.shard().retired.clear();
  store->mapping().readers.abandon(0);

  shard.reclaim();

  ASSERT_EQ(shard.shard().counters.collections.load(), 1U);
  EXPECT_EQ(shard.shard().retired.size(), 1U);
  EXPECT_EQ(shard.waiting(), 0U) << "what is pinned waits for no batch";
}

TEST(KvsReclaim, TakesNothingForGarbageThatIsJustBeingReplaced) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  const auto reader = store.attach();
  const auto value = [](int i) { return std::string(2000, static_cast<char>('a' + i % 26)); };
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(store->write({.key = "k", .value = value(i)}).answer, Answer::kOk);
    store->mapping().readers.abandon(0);
    (void)store->mapping().readers.begin_safe_epoch();
    const auto item = reader->get("k");
    ASSERT_TRUE(item);
    (void)store->write({.key = "k", .value = value(i + 1)});
    (void)store->write({.key = "l", .value = value(i + 2)});
    ASSERT_EQ(item->value, value(i)) << i;
    reader->end_batch();
  }
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsReclaim, TakesNothingForGarbageThatIsAboutToBeStored) {
  // One bucket, so that each few items need another one, and records of its size.
  const TestStore store(kMiB, {.shards = 1, .average_item = 1 << 28, .secret = testing::kSecret});
  const auto key = [](int i) { return "key" + std::to_string(10'000 + i); };
  const auto fill = [&](char first, const std::string& value) {
    for (int stored = 0;; ++stored) {
      store->mapping().readers.abandon(0);
      const Answer answer = store->write({.key = first + key(stored), .value = value}).answer;
      if (answer != Answer::kOk) return stored;
    }
  };
  ASSERT_GT(fill('a', std::string(60'000, 'v')), 2);
  store->end_batch();
  ASSERT_EQ(store->erase('a' + key(0)), Answer::kOk);
  ASSERT_EQ(store->erase('a' + key(1)), Answer::kOk);

  const int stored = fill('b', std::string(sizeof(Bucket) - Record::kHead - 9, 'v'));

  ASSERT_GT(stored, 1000);
  for (int i = 0; i < stored; ++i) ASSERT_TRUE(store->get('b' + key(i))) << i;
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsRepair, UndoesWhatADeadHolderHadNotPublished) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  (void)store->write({.key = "k", .value = "v"});
  run_and_kill([&] {
    const auto writer = store.attach();
    LockedShard shard(writer->mapping(), 0);
    (void)shard.allocate(100);
    (void)shard.allocate(3 * kPageBytes);
    writer->mapping().changes[0].begin();
    raise(SIGKILL);
  });

  ASSERT_EQ(store->write({.key = "l", .value = "w"}).answer, Answer::kOk);

  EXPECT_EQ(store->get("k")->value, "v");
  EXPECT_EQ(store->mapping().shards[0].counters.repairs.load(), 1U);
  EXPECT_EQ(store->mapping().shards[0].counters.items.load(), 2U);
  EXPECT_FALSE(
      ChangeCounter::is_under_way(store->mapping().changes[0].load(std::memory_order_relaxed)));
  store->end_batch();
  EXPECT_EQ(audit(*store), "");
}

TEST(KvsRepair, IsDoneAgainWhenWhoRepairsDies) {
  const TestStore store(kMiB, {.shards = 1, .secret = testing::kSecret});
  for (int i = 0; i < 5; ++i) {
    run_and_kill([&] {
      const auto writer = store.attach();
      const LockedShard shard(writer->mapping(), 0);
      raise(SIGKILL);
    });
  }
  ASSERT_EQ(store->write({.key = "k", .value = "v"}).answer, Answer::kOk);
  EXPECT_EQ(store->mapping().shards[0].counters.repairs.load(), 5U);
}

TEST(KvsRepair, IsNotAskedForByAHolderThatIsStopped) {
  const TestStore store(kMiB, {.shards = 2, .secret = testing::kSecret});
  std::string in_first = "a";
  std::string in_second = "a";
  while (store->mapping().shard_of(store->hash().of(in_first)) != 0) in_first += 'a';
  while (store->mapping().shard_of(store->hash().of(in_second)) != 1) in_second += 'b';
  (void)store->write({.key = in_first, .value = "v"});
  const pid_t stopped = testing::start([&] {
    const auto writer = store.attach();
    const LockedShard shard(writer->mapping(), 0);
    raise(SIGSTOP);
  });
  int status = 0;
  ASSERT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
  ASSERT_TRUE(WIFSTOPPED(status));

  EXPECT_EQ(store->write({.key = in_first, .value = "w"}).answer, Answer::kBusy);
  EXPECT_EQ(store->get(in_first)->value, "v");
  EXPECT_EQ(store->write({.key = in_second, .value = "w"}).answer, Answer::kOk);

  kill(stopped, SIGKILL);
  testing::wait_for(stopped);
  EXPECT_EQ(store->write({.key = in_first, .value = "w"}).answer, Answer::kOk);
}

TEST(KvsRepair, WaitsForAStoppedReaderWithoutHarm) {
  const TestStore store(kMiB);
  (void)store->write({.key = "k", .value = kLarge});
  const pid_t stopped = testing::start([&] {
    const auto reader = store.attach();
    const auto item = reader->get("k");
    raise(SIGSTOP);
    _exit(item->value == kLarge ? 0 : 1);
  });
  int status = 0;
  ASSERT_EQ(waitpid(stopped, &status, WUNTRACED), stopped);

  EXPECT_LT(overwrite(*store, std::string(100'000, 'w'), 50), 50);
  EXPECT_EQ(store->write({.key = "k", .value = kLarge}).answer, Answer::kBusy);

  kill(stopped, SIGCONT);
  ASSERT_EQ(waitpid(stopped, &status, 0), stopped);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it read what it had found";
  EXPECT_EQ(overwrite(*store, kLarge, 50), 50);
}

}  // namespace
}  // namespace kvs

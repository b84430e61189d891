// Whether what concurrent clients of a store saw can be explained by one order of all their
// operations.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/kvs/recording_client.h"

namespace kvs {
namespace {

using namespace testing;

// Where the keys have buckets of their own; or lie, alone, behind a full one in a chain, so that
// each of their writes and removals makes it longer or shorter.
class KvsLinearizability : public ::testing::TestWithParam<bool> {
 protected:
  KvsLinearizability() {
    if (GetParam()) fill_first_buckets();
  }
  static Options options() {
    if (!GetParam()) return {.shards = 16, .secret = testing::kSecret};
    return {.shards = 2, .average_item = 1 << 28, .secret = testing::kSecret};
  }
  void fill_first_buckets() const {
    const Mapping& mapping = store.store->mapping();
    for (int i = 0; i < 1000; ++i) {
      const std::string key = "other" + std::to_string(i);
      const Shard& shard = mapping.shards[mapping.shard_of(store.store->hash().of(key))];
      if (shard.counters.items.load() < kSlotsPerBucket) (void)store->write({.key = key});
    }
  }
  const TestStore store{8 * testing::kMiB, options()};
};
INSTANTIATE_TEST_SUITE_P(All, KvsLinearizability, ::testing::Bool(), [](const auto& row) {
  return std::string(row.param ? "Chains" : "Buckets");
});

TEST_P(KvsLinearizability, OfWritesReadsAndPrefixSearches) {
  constexpr unsigned kRounds = 200;
  for (unsigned number = 0; number < kRounds; ++number) {
    erase_all(store);
    Round round;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] {
        RecordingClient client(store, round, i, static_cast<unsigned>(number * kClients + i));
        round.meet();
        client.run(kEvents);
      });
    }
    for (auto& thread : threads) thread.join();
    ASSERT_EQ(drover::test::unexplained(history_of(round)), "") << "round " << number;
  }
}

// One of two keys is there at every instant, so a search that finds none has seen no instant.
TEST_P(KvsLinearizability, OfASearchBetweenTwoKeysThatTakeTurns) {
  (void)store->write({.key = kKeys[0]});
  std::atomic<bool> is_over = false;
  std::thread writer([&] {
    const auto own = store.attach();
    for (std::size_t turn = 0; !is_over; ++turn) {
      while (own->write({.key = kKeys[(turn + 1) % 2]}).answer == Answer::kBusy) {
      }
      while (own->erase(kKeys[turn % 2]) == Answer::kBusy) {
      }
    }
  });
  int missed = 0;
  int found = 0;
  for (int i = 0; i < 200'000; ++i) {
    const Answer answer = store->longest_prefix(kPath, Match::kByte).answer;
    if (answer == Answer::kOk) ++found;
    if (answer == Answer::kNotFound) ++missed;
    store->end_batch();
  }
  is_over = true;
  writer.join();

  EXPECT_EQ(missed, 0);
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace kvs

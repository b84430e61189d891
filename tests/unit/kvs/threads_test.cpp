// The store used by threads, each with a Store of its own: what processes do, where a thread
// sanitizer can see it.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "modules/kvs/store/slices.h"
#include "tests/unit/kvs/audit.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

// A value is one character many times, so whoever sees two has seen it torn.
bool is_whole(std::string_view value) {
  return value.empty() || value.find_first_not_of(value[0]) == std::string_view::npos;
}

void work(Store& store, unsigned seed, std::atomic<int>& torn) {
  std::mt19937 random(seed);
  const auto pick = [&random](std::uint32_t below) {
    return static_cast<std::uint32_t>(random()) % below;
  };
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = "/k" + std::to_string(pick(20)) + (pick(2) == 0 ? "/x" : "");
    const std::string value(pick(3000), static_cast<char>('a' + pick(26)));
    switch (pick(8)) {
      case 0:
      case 1:
        (void)store.write({.key = key, .value = value});
        break;
      case 2:
        (void)store.erase(key);
        break;
      case 3:
        (void)remove_prefix(store, key, pick(1000), {.buckets = 20});
        break;
      case 4: {
        const auto found = store.longest_prefix(key + "/y", Match::kByte);
        if (!is_whole(found.item.value)) ++torn;
        break;
      }
      default:
        if (const auto item = store.get(key); item && !is_whole(item->value)) ++torn;
    }
    if (i % 8 == 0) store.end_batch();
  }
  store.end_batch();
}

TEST(KvsThreads, SeeWholeValuesAndLeaveAWholeStore) {
  const TestStore store(2 * kMiB, {.shards = 2, .secret = testing::kSecret});
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const auto own = store.attach({.eviction = i % 2 == 0 ? Eviction::kClock : Eviction::kNone});
      work(*own, i, torn);
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(torn, 0);
  EXPECT_EQ(testing::audit(*store), "");
}

}  // namespace
}  // namespace kvs

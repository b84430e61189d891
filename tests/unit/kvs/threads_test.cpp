// The store used by threads, each with a Store of its own: what processes do, where a thread
// sanitizer can see it (preset tsan).
#include <gtest/gtest.h>

#include <algorithm>
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

constexpr std::uint32_t kShards = 2;

// A value is one character many times, so whoever sees two has seen it torn.
bool is_whole(std::string_view value) {
  return value.empty() || value.find_first_not_of(value[0]) == std::string_view::npos;
}

// Does everything that can be done with a store, at random.
class User {
 public:
  User(Store& store, unsigned seed, std::atomic<int>& torn)
      : store_(store), random_(seed), torn_(torn) {}

  void work(unsigned steps) {
    for (unsigned i = 0; i < steps; ++i) {
      store_.set_now(1 + i / 64);
      step();
      if (i % 8 == 0) store_.end_batch();
    }
    store_.end_batch();
  }

 private:
  void step() {
    const std::string key = "/k" + std::to_string(pick(20)) + (pick(2) == 0 ? "/x" : "");
    const auto what = pick(20);
    if (what < 9) return read(key, what);
    if (what < 16) return write(key, what);
    slice(key, what);
  }
  void read(const std::string& key, std::uint32_t what) {
    if (what < 2) return look(store_.longest_prefix(key + "/y", Match::kByte).item.value);
    const auto item = store_.get(key);
    if (!item) return;
    look(item->value);
    const auto pin = what == 2 ? store_.pin(*item) : std::nullopt;
    if (!pin) return;
    store_.end_batch();
    (void)store_.write({.key = key, .value = value()});
    look(item->value);
    store_.unpin(*pin);
  }
  void write(const std::string& key, std::uint32_t what) {
    switch (what) {
      case 9:
        return (void)store_.erase(key);
      case 10:
        return (void)store_.add("/sum" + key, 1, 0);
      case 11:
        return (void)store_.append("/text" + key, "more");
      case 12:
        return (void)store_.touch(key, pick(2) == 0 ? 0 : store_.now_ms() + 20);
      case 13:
        return reserve(key);
      default:
        (void)store_.write({.key = key, .value = value(), .expires_ms = pick(4) == 0 ? 100U : 0U});
    }
  }
  void slice(const std::string& key, std::uint32_t what) {
    const SliceLimits limits{.buckets = 20};
    switch (what) {
      case 16:
        return (void)remove_prefix(store_, key, pick(buckets_), limits);
      case 17:
        return (void)remove_expired(store_, pick(buckets_), limits);
      case 18:
        return (void)scan(store_, "/k", pick(buckets_), limits,
                          [this](const Item& item) { look(item.value); });
      default:
        store_.end_batch();
        (void)tend(store_, pick(kShards));
    }
  }
  void reserve(const std::string& key) {
    const std::string value = this->value();
    const auto [answer, reservation] = store_.reserve(key, value.size());
    if (answer != Answer::kOk) return;
    std::ranges::copy(value, reservation.value.begin());
    if (pick(4) == 0 || store_.commit(reservation, {.key = key}).answer == Answer::kBusy)
      store_.cancel(reservation);
  }
  void look(std::string_view value) {
    if (!is_whole(value)) ++torn_;
  }

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_()) % below; }
  // Some are copied without the lock.
  std::string value() {
    return std::string(pick(50) == 0 ? 70'000 : pick(3000), static_cast<char>('a' + pick(26)));
  }

  Store& store_;
  std::mt19937 random_;
  std::atomic<int>& torn_;
  std::uint32_t buckets_ =
      std::min(1000U, static_cast<std::uint32_t>(store_.mapping().buckets.size()));
};

class KvsThreads : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(KvsThreads, SeeWholeValuesAndLeaveAWholeStore) {
  const TestStore store(
      4 * kMiB, {.shards = kShards, .average_item = GetParam(), .secret = testing::kSecret});
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (unsigned life = 0; life < 4; ++life) {
        const auto own =
            store.attach({.eviction = i % 2 == 0 ? Eviction::kClock : Eviction::kNone});
        User(*own, i * 4 + life, torn).work(5'000);
      }
    });
  }
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(torn, 0);
  EXPECT_EQ(testing::audit(*store), "");
}
// With a bucket for each few items, and with one for all.
INSTANTIATE_TEST_SUITE_P(All, KvsThreads, ::testing::Values(256U, 1U << 28));

}  // namespace
}  // namespace kvs

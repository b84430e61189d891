// What the next writer pays when the holder of a shard's lock was killed: the repair, which comes
// with the lock, and the collection of garbage, which comes with the first reclaiming after it.
// Both look at the whole shard under its lock, so nobody writes to that shard meanwhile.
//
//   bench_kvs_repair [ITEMS [SHARDS]]      1,000,000 by default, in as many shards as the store
//   takes
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "modules/kvs/store/store.h"

namespace {

using kvs::LockedShard;
using kvs::Store;

constexpr std::size_t kKeyBytes = 85;
constexpr std::size_t kValueBytes = 32;
constexpr std::size_t kMemoryForAnItem = 256;  // more than it takes: nothing is full
constexpr int kKills = 15;

using Microseconds = std::chrono::duration<double, std::micro>;

template <class Work>
double time_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return Microseconds(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// With that lock in its hand.
void kill_holder(Store& store, std::uint32_t shard) {
  const pid_t child = fork();
  if (child == 0) {
    const LockedShard held(store.mapping(), shard);
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
}

void fill(Store& store, std::size_t items) {
  const std::string value(kValueBytes, 'v');
  for (std::size_t i = 0; i < items; ++i) {
    std::string key = "/files/" + std::to_string(i % 1000) + "/" + std::to_string(i) + "/";
    key.resize(kKeyBytes, 'x');
    if (store.write({.key = key, .value = value}).answer != kvs::Answer::kOk) std::abort();
  }
}

void measure(std::size_t items, std::size_t size, const kvs::Options& options) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
  if (Store::create(bytes, options) != kvs::Attached::kAttached) std::abort();
  {
    const auto store = Store::attach(bytes).store;
    fill(*store, items);
    const kvs::Mapping& mapping = store->mapping();
    std::vector<double> repairs;
    std::vector<double> collections;
    for (std::uint32_t kill = 0; kill < kKills; ++kill) {
      const auto shard = static_cast<std::uint32_t>(kill % mapping.shards.size());
      kill_holder(*store, shard);
      repairs.push_back(time_of([&] { const LockedShard repaired(store->mapping(), shard); }));
      LockedShard locked(store->mapping(), shard);
      collections.push_back(time_of([&] { locked.reclaim(); }));
    }
    std::printf("%9zu items, %2zu shards of %8zu slots: repair %9.1f us, collection %9.1f us\n",
                items, mapping.shards.size(), mapping.buckets_per_shard * kvs::kSlotsPerBucket,
                median(repairs), median(collections));
  }
  munmap(memory, size);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  const auto shards = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 0);
  if (items == 0 || !kvs::is_valid({.shards = shards})) {
    std::fprintf(stderr, "usage: bench_kvs_repair [ITEMS [SHARDS]]\n");
    return 2;
  }
  // A single shard of about 4,096 slots, five of seven in use.
  constexpr std::size_t kFewItems = 4096 * 5 / 7;
  constexpr std::size_t kFewBytes = std::size_t{4} << 20;
  measure(kFewItems, kFewBytes, {.shards = 1, .average_item = kFewBytes / kFewItems});
  measure(items, (items * kMemoryForAnItem + kFewBytes) / 4096 * 4096, {.shards = shards});
  return 0;
}

// The key-value store in this very process, without a server: nanoseconds of CPU for a request, and
// bytes that an item takes beside its key and value.
//
//   bench_kvs_store [ITEMS]      1,000,000 by default, in about 400 bytes of memory for each
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "modules/kvs/store/statistics.h"
#include "modules/kvs/store/store.h"
#include "tests/bench/paths.h"

namespace {

using drover::bench::Paths;
using kvs::Answer;
using kvs::Store;

constexpr std::size_t kValueBytes = 32;
constexpr std::size_t kBatch = 16;  // requests, as of a pipelining client

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Does work(key) for each key, and says what one has cost.
template <class Work>
void measure(const char* what, Store& store, std::span<const std::string> keys, Work work) {
  std::size_t wrong = 0;
  const double begin = cpu_ns();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!work(keys[i])) ++wrong;
    if (i % kBatch == 0) store.end_batch();
  }
  const double each = (cpu_ns() - begin) / static_cast<double>(keys.size());
  store.end_batch();
  std::printf("%-44s %7.0f ns\n", what, each);
  if (wrong > 0) std::printf("  %zu answers were wrong\n", wrong);
}

// As a session does with requests that came together.
void measure_prefetched(Store& store, const std::vector<std::string>& keys) {
  std::vector<std::string_view> batch;
  Store::Hashes hashes{};
  measure("GET, of those that came together", store, keys, [&](const std::string& key) {
    const auto index = static_cast<std::size_t>(&key - keys.data());
    if (index % kBatch == 0) {
      batch.assign(
          keys.begin() + static_cast<std::ptrdiff_t>(index),
          keys.begin() + static_cast<std::ptrdiff_t>(std::min(index + kBatch, keys.size())));
      hashes = store.prefetch(batch);
    }
    return store.get(key, hashes[index % kBatch]).has_value();
  });
}

void measure_all(Store& store, const std::vector<std::string>& keys, Paths& paths) {
  const std::string value(kValueBytes, 'v');
  std::vector<std::string> deeper = keys;
  for (std::string& path : deeper) path += "/below/what/is-stored.html";
  std::vector<std::string> missed = keys;
  for (std::string& path : missed) path.resize(path.rfind('/') + 1);
  for (std::string& path : missed)
    path += "no-such-name/and/more-" + std::to_string(paths.pick(99));
  const auto write = [&](const std::string& key) {
    return store.write({.key = key, .value = value}).answer == Answer::kOk;
  };
  measure("SET of a new key", store, keys, write);
  measure("SET of a key that is there", store, keys, write);
  measure("GET", store, keys, [&](const auto& key) { return store.get(key).has_value(); });
  measure_prefetched(store, keys);
  measure("GET of what is not there", store, deeper,
          [&](const auto& key) { return !store.get(key).has_value(); });
  const std::uint64_t before = store.prefix_probes();
  const auto finds = [&](const std::string& path) {
    return store.longest_prefix(path, kvs::Match::kSegment).answer == Answer::kOk;
  };
  measure("LPM by segment, the key three levels up", store, deeper, finds);
  measure("LPM by byte, the key three levels up", store, deeper, [&](const std::string& path) {
    return store.longest_prefix(path, kvs::Match::kByte).answer == Answer::kOk;
  });
  measure("LPM by byte, of no name in its directory", store, missed, [&](const std::string& path) {
    const Answer answer = store.longest_prefix(path, kvs::Match::kByte).answer;
    return answer == Answer::kOk || answer == Answer::kNotFound;
  });
  std::printf(
      "%-44s %7.1f\n", "slots looked for in each LPM",
      static_cast<double>(store.prefix_probes() - before) / static_cast<double>(3 * keys.size()));
}

void print_memory(Store& store, const std::vector<std::string>& keys) {
  double bytes = 0;
  double levels = 0;
  for (const std::string& key : keys) {
    bytes += static_cast<double>(key.size());
    levels += static_cast<double>(std::count(key.begin(), key.end(), '/'));
  }
  const auto count = static_cast<double>(keys.size());
  const kvs::Statistics now = kvs::statistics(store);
  const kvs::Mapping& mapping = store.mapping();
  const double cells = static_cast<double>(now.cell_bytes) / count;
  const double pages = static_cast<double>((now.pages - now.free_pages) * kvs::kPageBytes) / count;
  const double index =
      static_cast<double>(mapping.buckets.size_bytes() + mapping.markers.size_bytes()) / count;
  const double payload = bytes / count + kValueBytes;
  std::printf("%.0f items, keys of %.1f bytes and %.1f levels, values of %zu bytes\n", count,
              bytes / count, levels / count, kValueBytes);
  std::printf("bytes beside key and value: %.1f in cells, %.1f with what is free in pages, ",
              cells - payload, pages - payload);
  std::printf("%.1f with buckets and markers\n", pages - payload + index);
}

struct Mapped {
  explicit Mapped(std::size_t items) {
    constexpr std::size_t kAverageItem = 160;
    const std::size_t size = (items * 2 * kAverageItem + (std::size_t{16} << 20)) / 4096 * 4096;
    void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
    const kvs::Options options{.average_item = 2 * kAverageItem};
    if (Store::create(bytes, options) != kvs::Attached::kAttached) std::abort();
    store = Store::attach(bytes).store;
  }
  std::unique_ptr<Store> store;  // until the end of the program
};

// Asks for paths below the keys.
void measure_paths(const char* what, Store& store, std::span<const std::string> keys) {
  std::vector<std::string> paths(keys.begin(), keys.end());
  for (std::string& path : paths) path += "/below/what/is-stored.html";
  const std::uint64_t before = store.prefix_probes();
  measure(what, store, paths, [&](const std::string& path) {
    const Answer answer = store.longest_prefix(path, kvs::Match::kByte).answer;
    return answer == Answer::kOk || answer == Answer::kNotFound;
  });
  const auto probes = static_cast<double>(store.prefix_probes() - before);
  std::printf("%-44s %7.1f\n", "  slots looked for in each",
              probes / static_cast<double>(keys.size()));
}

// Of nine keys of ten, and then of all, nothing is left but their markers; and beside that a store
// that never had them.
void measure_stale(Store& store, const std::vector<std::string>& keys) {
  const std::span all(keys);
  const auto left = all.first(keys.size() / 10);
  const auto gone = all.last(keys.size() / 10);
  const auto erase = [&](const std::string& key) { return store.erase(key) == Answer::kOk; };
  measure("DEL", store, all.subspan(left.size()), erase);
  measure_paths("LPM by byte, one key of ten left", store, left);
  measure_paths("LPM by byte, of a key that is gone", store, gone);
  measure("DEL of the rest", store, left, erase);
  measure_paths("LPM by byte, all keys gone", store, gone);

  const Mapped fresh(keys.size());
  measure_paths("LPM by byte, never a key", *fresh.store, gone);
  for (const std::string& key : left) (void)fresh.store->write({.key = key});
  measure_paths("LPM by byte, never more than those", *fresh.store, left);
  measure_paths("LPM by byte, of a key that never was", *fresh.store, gone);
}

// There were so many directories before that those of these keys have no markers.
void measure_crowded(const std::vector<std::string>& keys) {
  const Mapped crowded(keys.size());
  for (kvs::MarkerGroup& group : crowded.store->mapping().markers) {
    for (std::uint64_t other = 1; other <= 9; ++other) group.set(other << 49, kvs::tail_bit(0));
  }
  for (const std::string& key : keys) (void)crowded.store->write({.key = key});
  measure_paths("LPM by byte, no directory has a marker", *crowded.store, keys);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (items == 0) {
    std::fprintf(stderr, "usage: bench_kvs_store [ITEMS]\n");
    return 2;
  }
  const Mapped mapped(items);
  Paths paths;
  const auto keys = paths.make(items);
  measure_all(*mapped.store, keys, paths);
  print_memory(*mapped.store, keys);
  measure_stale(*mapped.store, keys);
  measure_crowded(keys);
  return 0;
}

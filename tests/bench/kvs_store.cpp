// The key-value store in this very process, without a server: nanoseconds of CPU for a request, and
// bytes that an item takes beside its key and value. Keys are made to be like paths of a web or
// file server: some 85 bytes, ten levels deep, most of them in directories that they share.
//
//   bench_kvs_store [ITEMS]      1,000,000 by default, in about 400 bytes of memory for each
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "modules/kvs/store/statistics.h"
#include "modules/kvs/store/store.h"

namespace {

using kvs::Answer;
using kvs::Store;

constexpr std::size_t kValueBytes = 32;
constexpr std::size_t kBatch = 16;  // requests, as of a pipelining client

class Paths {
 public:
  std::vector<std::string> make(std::size_t count) {
    std::unordered_set<std::string> paths;
    while (paths.size() < count) paths.insert(directory() + segment());
    std::vector<std::string> made(paths.begin(), paths.end());
    std::shuffle(made.begin(), made.end(), random_);
    return made;
  }
  std::size_t pick(std::size_t below) { return random_() % below; }

 private:
  // One of twenty keys opens a directory, below one that there is.
  const std::string& directory() {
    if (pick(20) != 0) return directories_[pick(directories_.size())];
    std::string made = directories_[pick(directories_.size())];
    constexpr std::ptrdiff_t kDeepest = 10;
    const auto is_full = [&] { return std::count(made.begin(), made.end(), '/') > kDeepest; };
    for (std::size_t more = 2 + pick(8); more > 0 && !is_full(); --more) made += segment() + '/';
    return directories_.emplace_back(std::move(made));
  }
  std::string segment() {
    static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string made(3 + pick(8), ' ');
    for (char& letter : made) letter = kLetters[pick(kLetters.size())];
    return made;
  }

  std::mt19937_64 random_{20};
  std::vector<std::string> directories_{"/"};
};

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Does work(key) for each key, and says what one has cost.
template <class Work>
void measure(const char* what, Store& store, const std::vector<std::string>& keys, Work work) {
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

}  // namespace

int main(int argc, char** argv) {
  const std::size_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (items == 0) {
    std::fprintf(stderr, "usage: bench_kvs_store [ITEMS]\n");
    return 2;
  }
  constexpr std::size_t kAverageItem = 160;
  const std::size_t size = (items * 2 * kAverageItem + (std::size_t{16} << 20)) / 4096 * 4096;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
  const kvs::Options options{.average_item = 2 * kAverageItem, .preallocate = true};
  if (Store::create(bytes, options) != kvs::Attached::kAttached) return 1;
  const auto store = Store::attach(bytes).store;
  Paths paths;
  const auto keys = paths.make(items);
  measure_all(*store, keys, paths);
  print_memory(*store, keys);
  return 0;
}

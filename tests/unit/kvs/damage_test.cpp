// A store that somebody has written over. Nothing is promised of what is in it; but whoever uses it
// goes on, and reads nothing beside its memory.
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "modules/kvs/store/slices.h"
#include "modules/kvs/store/statistics.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::TestStore;

const Options kOptions{.shards = 2, .readers = 2, .average_item = 4096, .secret = testing::kSecret};

std::string key_of(unsigned number) { return "/k/" + std::to_string(number % 300); }

// Neither records nor buckets lie there, but what processes agree on.
TEST(KvsDamage, OfAWordLeadsToNoPlaceOutsideThePages) {
  const TestStore store(kMiB, kOptions);
  const Mapping& mapping = store->mapping();
  const auto first = static_cast<Units>(reinterpret_cast<std::byte*>(&mapping.markers.back() + 1) -
                                        mapping.memory.region<std::byte>(0)) /
                     kUnitBytes;
  for (Units units = 0; units < first; ++units) {
    ASSERT_EQ(record_at(mapping.memory, units), nullptr) << units;
    ASSERT_EQ(bucket_at(mapping.memory, units), nullptr) << units;
  }
}

// A bucket that follows itself.
TEST(KvsDamage, OfAChainThatHasNoEndIsCutThere) {
  const TestStore store(kMiB, {.shards = 1, .average_item = 1 << 28, .secret = testing::kSecret});
  for (int i = 0; i < 8; ++i) (void)store->write({.key = "k" + std::to_string(i)});
  Bucket& first = store->mapping().bucket(0, 0);
  const Units second = first.next.load();
  bucket_at(store->mapping().memory, second)->next = second;
  for (int i = 0; i < 8; ++i) EXPECT_EQ(store->erase("k" + std::to_string(i)), Answer::kOk);
  EXPECT_EQ(first.next.load(), 0U);
  EXPECT_LE(store->mapping().shards[0].retired.size(), 9U) << "eight records, and a bucket once";
}

void use(Store& store, unsigned seed) {
  std::mt19937 random(seed);
  std::optional<Reservation> reserved;
  for (int i = 0; i < 400; ++i) {
    const std::string key = key_of(static_cast<unsigned>(random()));
    (void)store.write({.key = key, .value = std::string(random() % 5000, 'v')});
    (void)store.append(key, "more");
    (void)store.longest_prefix(key + "/x", Match::kByte);
    (void)store.erase(key_of(static_cast<unsigned>(random())));
    if (i % 20 == 0) {
      if (reserved) store.cancel(*reserved);
      const auto answer = store.reserve(key, random() % 200'000);
      reserved = answer.answer == Answer::kOk ? std::optional(answer.reservation) : std::nullopt;
    }
    if (i % 8 == 0) store.end_batch();
  }
  if (reserved) store.cancel(*reserved);
  (void)scan(store, "", 0, {.buckets = 1 << 20}, [](const Item&) {});
  store.end_batch();
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    store.mapping().readers.abandon(static_cast<std::uint8_t>(shard));
    (void)tend(store, shard);
  }
  (void)statistics(store);
}

struct Region {
  const char* name;
  std::uint64_t (*begin)(const Layout&);
  std::uint64_t (*end)(const Layout&);
};

class KvsDamage : public ::testing::TestWithParam<Region> {
 protected:
  // Words of any kind; but not a mutex, which is the kernel's and the C library's.
  static void write_over(TestStore& store, std::mt19937_64& random) {
    Plan plan;
    ASSERT_EQ(read_header(store.memory.bytes(), plan), Attached::kAttached);
    const std::uint64_t begin = GetParam().begin(plan.layout);
    const std::uint64_t words = (GetParam().end(plan.layout) - begin) / 8;
    for (std::uint64_t i = 0; i < words / 8 + 16; ++i) {
      const std::uint64_t kinds[] = {random(), random() % 70'000, ~random() % 16,
                                     random() << 32 | random() % 100, ~std::uint64_t{0}};
      const std::uint64_t byte = begin + random() % words * 8;
      if (is_mutex(plan.layout, byte)) continue;
      std::memcpy(&store.memory.bytes()[byte], &kinds[random() % std::size(kinds)], 8);
    }
  }
  static bool is_mutex(const Layout& layout, std::uint64_t byte) {
    const bool is_shard = byte >= layout.shards && byte < layout.page_owners;
    return is_shard && (byte - layout.shards) % sizeof(Shard) < sizeof(RobustMutex);
  }
};

TEST_P(KvsDamage, CostsItemsAndNoProcess) {
  std::mt19937_64 random(11);
  for (unsigned round = 0; round < 20; ++round) {
    TestStore store(2 * kMiB, kOptions,
                    {.eviction = round % 2 == 0 ? Eviction::kNone : Eviction::kClock});
    use(*store, round);
    write_over(store, random);
    use(*store, round + 100);
  }
}
const Region kRegions[] = {
    {"Shards", [](const Layout& layout) { return layout.shards; },
     [](const Layout& layout) { return layout.page_owners; }},
    {"PageOwners", [](const Layout& layout) { return layout.page_owners; },
     [](const Layout& layout) { return layout.page_infos; }},
    {"PageInfos", [](const Layout& layout) { return layout.page_infos; },
     [](const Layout& layout) { return layout.buckets; }},
    {"Buckets", [](const Layout& layout) { return layout.buckets; },
     [](const Layout& layout) { return layout.markers; }},
    {"Markers", [](const Layout& layout) { return layout.markers; },
     [](const Layout& layout) { return layout.pages; }},
    {"Pages", [](const Layout& layout) { return layout.pages; },
     [](const Layout& layout) { return layout.end; }},
};
INSTANTIATE_TEST_SUITE_P(All, KvsDamage, ::testing::ValuesIn(kRegions),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace kvs

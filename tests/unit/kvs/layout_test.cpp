#include "modules/kvs/store/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

using testing::kMiB;
using testing::SharedMemory;

constexpr std::size_t kHeaderInUse = 120;  // bytes

TEST(KvsLayout, AttachesWhatWasCreated) {
  SharedMemory memory(4 * kMiB);
  ASSERT_EQ(Store::create(memory.bytes(), {}), Attached::kAttached);

  EXPECT_EQ(Store::attach(memory.bytes()).result, Attached::kAttached);
}

TEST(KvsLayout, RegionsFollowEachOtherAndEndInTheMemory) {
  for (const std::size_t size : {kMiB, 4 * kMiB + 4096, 64 * kMiB, 1024 * kMiB}) {
    const auto counts = counts_for(size, {});
    ASSERT_TRUE(counts) << size;
    const Layout layout = layout_of(*counts);
    const std::vector<std::uint64_t> begins{
        layout.globals,    layout.readers, layout.changes, layout.shards, layout.page_owners,
        layout.page_infos, layout.buckets, layout.markers, layout.pages,  layout.end};
    EXPECT_TRUE(std::is_sorted(begins.begin(), begins.end())) << size;
    EXPECT_LE(layout.end, size);
    EXPECT_GT(layout.end, size - 6 * kPageBytes) << "and little is left over";
  }
}

// So that nobody has one for long.
TEST(KvsLayout, HasShardsByTheSizeOfTheMemory) {
  const std::pair<std::size_t, std::uint32_t> expected[] = {
      {kMiB, 1},         {4 * kMiB, 1},     {64 * kMiB, 16},        {512 * kMiB, 16},
      {1024 * kMiB, 32}, {2048 * kMiB, 64}, {100 * 1024 * kMiB, 64}};
  for (const auto& [size, shards] : expected) EXPECT_EQ(counts_for(size, {})->shards, shards);
  EXPECT_EQ(counts_for(64 * kMiB, {.shards = 2})->shards, 2U);
}

TEST(KvsLayout, RefusesMemoryWithoutRoomForAPage) {
  SharedMemory memory(4096 * 4);
  EXPECT_EQ(Store::create(memory.bytes(), {}), Attached::kTooSmall);
}

TEST(KvsLayout, RefusesOptionsOutOfRange) {
  SharedMemory memory(4 * kMiB);
  for (const Options& options : {Options{.shards = 3}, Options{.shards = 128},
                                 Options{.readers = 0}, Options{.readers = kMostReaders + 1}}) {
    EXPECT_EQ(Store::create(memory.bytes(), options), Attached::kBadOptions);
  }
}

TEST(KvsLayout, RefusesMemoryThatHoldsNoStore) {
  SharedMemory memory(4 * kMiB);
  EXPECT_EQ(Store::attach(memory.bytes()).result, Attached::kNoStore);
}

TEST(KvsLayout, RefusesAnotherSize) {
  SharedMemory memory(4 * kMiB);
  ASSERT_EQ(Store::create(memory.bytes(), {}), Attached::kAttached);

  EXPECT_EQ(Store::attach(memory.bytes().first(4 * kMiB - 4096)).result, Attached::kDamaged);
  EXPECT_EQ(Store::attach(memory.bytes().first(100)).result, Attached::kNoStore);
}

TEST(KvsLayout, RefusesEveryChangedBitOfTheHeader) {
  SharedMemory memory(4 * kMiB);
  ASSERT_EQ(Store::create(memory.bytes(), {}), Attached::kAttached);

  for (std::size_t bit = 0; bit < kHeaderInUse * 8; ++bit) {
    auto& byte = memory.bytes()[bit / 8];
    byte ^= std::byte{1} << bit % 8;
    EXPECT_NE(Store::attach(memory.bytes()).result, Attached::kAttached) << "bit " << bit;
    byte ^= std::byte{1} << bit % 8;
  }
  EXPECT_EQ(Store::attach(memory.bytes()).result, Attached::kAttached);
}

// With a right checksum, as another program or somebody's hand may have written it.
TEST(KvsLayout, RefusesCountsThatDoNotFitTheMemory) {
  SharedMemory memory(4 * kMiB);
  const Counts right = *counts_for(4 * kMiB, {});
  const auto attached = [&](const Counts& counts) {
    write_header(memory.bytes(), {layout_of(counts), {}});
    Plan plan;
    return read_header(memory.bytes(), plan);
  };
  EXPECT_EQ(attached(right), Attached::kAttached);
  for (std::uint32_t Counts::*count : {&Counts::shards, &Counts::buckets, &Counts::marker_groups,
                                       &Counts::readers, &Counts::pages}) {
    for (const std::uint32_t wrong : {0U, 100'000U, 1U << 31, ~0U}) {
      Counts counts = right;
      counts.*count = wrong;
      EXPECT_EQ(attached(counts), Attached::kDamaged) << wrong;
    }
  }
}

TEST(KvsLayout, RefusesAHeaderOfRandomBytes) {
  SharedMemory memory(4 * kMiB);
  std::mt19937 random(7);
  for (int round = 0; round < 1000; ++round) {
    for (auto& byte : memory.bytes().first(4096)) byte = static_cast<std::byte>(random());
    EXPECT_NE(Store::attach(memory.bytes()).result, Attached::kAttached);
  }
}

TEST(KvsLayout, RefusesMoreProcessesThanThereAreSlots) {
  SharedMemory memory(4 * kMiB);
  ASSERT_EQ(Store::create(memory.bytes(), {.readers = 2}), Attached::kAttached);
  const auto first = Store::attach(memory.bytes());
  auto second = Store::attach(memory.bytes());

  EXPECT_EQ(Store::attach(memory.bytes()).result, Attached::kNoReaderSlot);
  second.store.reset();
  EXPECT_EQ(Store::attach(memory.bytes()).result, Attached::kAttached);
}

}  // namespace
}  // namespace kvs

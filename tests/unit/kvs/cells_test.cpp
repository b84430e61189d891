#include "modules/kvs/store/cells.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace kvs {
namespace {

class KvsCells : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kPages = 32;

  std::vector<PageOwner> owners_{kPages};
  std::vector<PageInfo> infos_{kPages};
  PageHints hints_{};
  PageMap pages_{owners_, infos_, hints_, kPageBytes};
  PagesWithRoom room_{};
  PagesWithRoom others_room_{};
  Cells cells_{pages_, room_, 0};
  Cells others_{pages_, others_room_, 1};

  std::vector<Units> fill(Cells& cells, std::size_t bytes) {
    std::vector<Units> all;
    while (const Units units = cells.allocate(bytes)) all.push_back(units);
    return all;
  }
  std::uint32_t free_pages() {
    std::uint32_t free = 0;
    for (std::uint32_t page = 0; page < kPages; ++page) {
      if (pages_.use_of(page).kind == PageKind::kFree) ++free;
    }
    return free;
  }
};

TEST(KvsSizeClass, HoldsWhatItIsFor) {
  for (std::size_t bytes = 1; bytes <= kPageBytes / 2; ++bytes) {
    const auto size_class = size_class_of(bytes);
    ASSERT_LT(size_class, kSizeClasses);
    ASSERT_GE(kCellBytes[size_class], bytes);
    ASSERT_TRUE(size_class == 0 || kCellBytes[size_class - 1] < bytes);
  }
  EXPECT_EQ(size_class_of(kPageBytes / 2 + 1), kRunClass);
}

TEST_F(KvsCells, AreApartAndInTheirPages) {
  std::mt19937 random(3);
  std::map<Units, std::size_t> taken;
  for (int i = 0; i < 200; ++i) {
    const std::size_t bytes = 1 + random() % 8000;
    const Units units = cells_.allocate(bytes);
    if (units == 0) break;
    taken[units] = bytes;
  }

  Units end = pages_.units_of(0, 0);
  for (const auto& [units, bytes] : taken) {
    EXPECT_GE(units, end);
    end = units + (bytes + kUnitBytes - 1) / kUnitBytes;
  }
  EXPECT_LE(end, pages_.units_of(kPages, 0));
}

TEST_F(KvsCells, GoBackToAllSizesAndShardsWhenTheirPageIsEmpty) {
  for (const Units units : fill(cells_, 100)) cells_.free(units);
  EXPECT_EQ(free_pages(), kPages);

  const auto large = fill(others_, 20'000);
  EXPECT_EQ(large.size(), kPages * 3);
}

TEST_F(KvsCells, OfALargerSizeDoWhenNoPageIsFree) {
  const auto large = fill(cells_, 20'000);
  ASSERT_EQ(free_pages(), 0U);
  cells_.free(large[5]);

  EXPECT_EQ(cells_.allocate(40), 0U);
  EXPECT_EQ(cells_.allocate_larger(40), large[5]);
  EXPECT_EQ(cells_.allocate_larger(40), 0U);
}

TEST_F(KvsCells, AreFoundAgainWhenTheirListWasWrittenOver) {
  const std::uint8_t size_class = size_class_of(100);
  const Units other = others_.allocate(100);
  const Units first = cells_.allocate(100);
  for (const std::uint32_t wrong : {kPages + 5, pages_.place_of(other)->page + 1}) {
    room_[size_class] = wrong;
    const Units next = cells_.allocate(100);
    ASSERT_NE(next, 0U) << wrong;
    EXPECT_EQ(pages_.place_of(next)->page, pages_.place_of(first)->page);
  }
}

TEST_F(KvsCells, OfRunsAreWholePagesInARow) {
  const Units run = cells_.allocate(3 * kPageBytes);
  ASSERT_NE(run, 0U);
  EXPECT_EQ(free_pages(), kPages - 3);
  EXPECT_EQ(cells_.bytes_at(run), 3 * kPageBytes);

  cells_.free(run);
  EXPECT_EQ(free_pages(), kPages);
  EXPECT_EQ(cells_.allocate((kPages + 1) * kPageBytes), 0U);
  EXPECT_NE(cells_.allocate(kPages * kPageBytes), 0U);
}

// A page that is free although nobody has told is not seen: so nobody looks at all pages each time.
TEST_F(KvsCells, AreLookedForWhereAPageWasGivenBack) {
  const auto cells = fill(cells_, 30'000);
  ASSERT_TRUE(pages_.is_full());
  ASSERT_FALSE(pages_.take_run(1, 1));
  owners_[3].word.store(0);
  EXPECT_TRUE(pages_.is_full());
  EXPECT_FALSE(pages_.take({.kind = PageKind::kCells, .shard = 1}));
  EXPECT_FALSE(pages_.take_run(1, 1));

  pages_.forget_failures();

  EXPECT_FALSE(pages_.is_full());
  EXPECT_EQ(pages_.take({.kind = PageKind::kCells, .shard = 1}), 3U);
  for (std::size_t i = 14; i < 18; ++i) cells_.free(cells[i]);
  EXPECT_EQ(pages_.take_run(1, 2), 7U);
  EXPECT_TRUE(pages_.is_full());
}

// No page is lost, whoever looks while others give back.
TEST_F(KvsCells, OfAllThreadsAreFoundAgain) {
  const auto work = [this](std::uint8_t shard) {
    PageMap pages(owners_, infos_, hints_, kPageBytes);
    std::mt19937 random(shard);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> taken;
    for (int i = 0; i < 20'000; ++i) {
      const auto count = 1 + static_cast<std::uint32_t>(random() % 3);
      const auto page = count > 1 ? pages.take_run(shard, count)
                                  : pages.take({.kind = PageKind::kCells, .shard = shard});
      if (page) taken.emplace_back(*page, count);
      if (page && taken.size() < 6) continue;
      if (taken.empty()) continue;
      std::swap(taken[random() % taken.size()], taken.back());
      pages.give_back(taken.back().first, taken.back().second);
      taken.pop_back();
    }
    for (const auto& [page, count] : taken) pages.give_back(page, count);
  };
  std::vector<std::thread> threads;
  for (std::uint8_t shard = 0; shard < 4; ++shard) threads.emplace_back(work, shard);
  for (auto& thread : threads) thread.join();

  ASSERT_EQ(free_pages(), kPages);
  for (std::uint32_t page = 0; page < kPages; ++page) {
    EXPECT_EQ(pages_.take({.kind = PageKind::kCells}), page);
  }
}

TEST_F(KvsCells, AreNotFreedByAnotherShardNorInTheMiddle) {
  const Units units = cells_.allocate(1000);
  others_.free(units);
  cells_.free(units + 1);
  EXPECT_EQ(cells_.count_used(), 1U);
}

TEST_F(KvsCells, ThatAreNotMarkedAreFreedByACollection) {
  const auto small = fill(cells_, 3000);
  cells_.free(small.back());
  const Units keep = small[small.size() / 2];
  cells_.clear_marks();
  cells_.mark(keep);

  cells_.free_unmarked();

  EXPECT_EQ(cells_.count_used(), 1U);
  EXPECT_EQ(free_pages(), kPages - 1);
  EXPECT_EQ(fill(cells_, 3000).size(), small.size() - 1);
}

TEST_F(KvsCells, OfARunThatWasNeverFinishedAreFreedByACollection) {
  const Units whole = cells_.allocate(2 * kPageBytes);
  ASSERT_TRUE(pages_.take({.kind = PageKind::kRunTail, .shard = 0}));
  cells_.clear_marks();
  cells_.mark(whole);

  cells_.free_unmarked();

  EXPECT_EQ(free_pages(), kPages - 2);
}

TEST_F(KvsCells, OfAPageWhoseBitmapWasNotMadeDoNoHarm) {
  const auto page = pages_.take({.kind = PageKind::kCells, .shard = 0, .size_class = 20});
  ASSERT_TRUE(page);
  infos_[*page].used.fill(~std::uint64_t{0});
  cells_.rebuild_lists();
  const auto others = fill(cells_, kCellBytes[20]);
  EXPECT_EQ(others.size(), (kPages - 1) * cells_per_page(20));

  cells_.clear_marks();
  cells_.free_unmarked();
  EXPECT_EQ(free_pages(), kPages);
}

}  // namespace
}  // namespace kvs

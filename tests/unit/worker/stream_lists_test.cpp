#include "worker/stream_lists.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <vector>

namespace drover {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Takes all streams of a connection out of its list, the last first.
std::vector<std::uint32_t> taken(StreamLists& lists, std::uint32_t parent) {
  std::vector<std::uint32_t> streams;
  while (const auto last = lists.last(parent)) {
    streams.push_back(*last);
    lists.remove(parent, *last);
  }
  return streams;
}

TEST(StreamLists, KeepTheStreamsOfEachConnection) {
  StreamLists lists(8);
  lists.add(0, 1);
  lists.add(7, 2);
  lists.add(0, 3);
  EXPECT_EQ(lists.size(), 3U);
  EXPECT_EQ(lists.last(0), 3U);
  EXPECT_EQ(lists.last(1), std::nullopt);

  EXPECT_THAT(taken(lists, 0), ElementsAre(3U, 1U));
  EXPECT_THAT(taken(lists, 7), ElementsAre(2U));
  EXPECT_THAT(taken(lists, 7), IsEmpty());
  EXPECT_EQ(lists.size(), 0U);
}

TEST(StreamLists, LoseTheFirstTheLastAndTheMiddle) {
  for (const std::uint32_t lost : {1U, 2U, 3U}) {
    StreamLists lists(8);
    for (std::uint32_t stream = 1; stream <= 3; ++stream) lists.add(0, stream);
    lists.remove(0, lost);
    lists.add(0, 4);
    std::vector<std::uint32_t> left{4, 3, 2, 1};
    std::erase(left, lost);
    EXPECT_EQ(taken(lists, 0), left);
  }
}

TEST(StreamLists, KeepStreamsOfStreams) {
  StreamLists lists(8);
  lists.add(0, 1);
  lists.add(1, 2);
  lists.add(0, 3);
  EXPECT_THAT(taken(lists, 1), ElementsAre(2U));
  EXPECT_THAT(taken(lists, 0), ElementsAre(3U, 1U));
}

TEST(StreamLists, AgreeWithVectors) {
  std::mt19937 random(1);
  StreamLists lists(64);
  std::map<std::uint32_t, std::vector<std::uint32_t>> expected;
  std::vector<std::uint32_t> free;
  for (std::uint32_t stream = 8; stream < 64; ++stream) free.push_back(stream);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t parent = random() % 8;
    auto& streams = expected[parent];
    if (random() % 2 == 0 && !free.empty()) {
      std::swap(free[random() % free.size()], free.back());
      streams.push_back(free.back());
      lists.add(parent, free.back());
      free.pop_back();
    } else if (!streams.empty()) {
      const auto lost = streams.begin() + static_cast<std::ptrdiff_t>(random() % streams.size());
      free.push_back(*lost);
      lists.remove(parent, *lost);
      streams.erase(lost);
    }
    ASSERT_EQ(lists.last(parent), streams.empty() ? std::nullopt : std::optional(streams.back()));
  }
  for (auto& [parent, streams] : expected) {
    std::ranges::reverse(streams);
    EXPECT_EQ(taken(lists, parent), streams);
  }
}

}  // namespace
}  // namespace drover

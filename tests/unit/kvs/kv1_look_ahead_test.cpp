#include "modules/kvs/kv1/look_ahead.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "modules/kvs/kv1/frame.h"
#include "tests/unit/kvs/shared_memory.h"

namespace kvs::kv1 {
namespace {

using kvs::testing::TestStore;

std::string frames(const std::vector<Frame>& frames) {
  std::string bytes;
  for (const Frame& frame : frames) append_frame(bytes, frame);
  return bytes;
}

class KvsLookAhead : public ::testing::Test {
 protected:
  using Hashes = std::vector<std::optional<std::uint64_t>>;

  // Of the keys of all frames that were looked at.
  Hashes hashes_in(std::string_view bytes) {
    LookAhead ahead;
    ahead.look(*store_, bytes);
    Hashes hashes;
    while (!ahead.is_over()) hashes.push_back(ahead.take());
    EXPECT_EQ(ahead.take(), std::nullopt);
    return hashes;
  }
  std::size_t look(std::string_view bytes) { return hashes_in(bytes).size(); }
  TestStore store_;
};

TEST_F(KvsLookAhead, CountsWholeFrames) {
  EXPECT_EQ(look({}), 0U);
  EXPECT_EQ(look(frames({{kGet, 1, "/a", {}}})), 1U);
  EXPECT_EQ(look(frames({{kGet, 1, "/a", {}}, {kSet, 2, "/b", "value"}, {kPing, 3, {}, "?"}})), 3U);
}

TEST_F(KvsLookAhead, StopsWhereAFrameHasNotEnded) {
  const std::string first = frames({{kSet, 1, "/a", "value"}});
  const std::string both = first + frames({{kSet, 2, "/b", "value"}});
  for (std::size_t size = 0; size <= both.size(); ++size) {
    const std::size_t whole = size == both.size() ? 2 : size >= first.size() ? 1 : 0;
    EXPECT_EQ(look(both.substr(0, size)), whole) << size;
  }
}

TEST_F(KvsLookAhead, HasMadeTheHashesOfKeysThatAreLookedFor) {
  const auto hash = [this](std::string_view key) { return store_->hash().of(key); };
  const std::string longest(kLongestKey, 'k');

  EXPECT_EQ(hashes_in(frames({{kLpm, 1, "/lpm", {}},
                              {kGet, 2, "/a", {}},
                              {kPing, 3, {}, "?"},
                              {kGet, 4, longest, {}},
                              {kSet, 5, "/b", "value"}})),
            (Hashes{std::nullopt, hash("/a"), std::nullopt, std::nullopt, hash("/b")}));
  EXPECT_EQ(hashes_in(frames({{kLpm, 1, "/lpm", {}}, {kGet, 2, "/alone", {}}})),
            (Hashes{std::nullopt, std::nullopt}));
}

TEST_F(KvsLookAhead, LooksAtSoManyAndNoMore) {
  const std::vector<Frame> many(Store::kMostPrefetched + 1, {kGet, 1, "/a", {}});
  EXPECT_EQ(look(frames(many)), Store::kMostPrefetched);
}

TEST_F(KvsLookAhead, PassesOverWhatIsNoRequest) {
  const std::string longest_value = {'\x7f', 0, 0, 0, 1, 0, 0, '\xff', '\xff', '\xff', '\xff'};
  EXPECT_EQ(look(frames({{kGet, 1, "/a", {}}}) + longest_value), 1U);
  EXPECT_EQ(look(std::string(1'000, '\0')), Store::kMostPrefetched);
  EXPECT_EQ(look(std::string(1'000, '\xff')), 0U);
}

TEST_F(KvsLookAhead, TakesKeysOfAnyNumberAndLength) {
  const std::string longest(kLongestKey, 'k');
  const std::vector<std::string_view> many(100, longest);
  static_cast<void>(store_->prefetch(many));
  static_cast<void>(store_->prefetch({}));
  EXPECT_EQ(look(frames({{kGet, 1, longest, {}}, {kGet, 2, longest, {}}})), 2U);
}

}  // namespace
}  // namespace kvs::kv1

#include "modules/mux/id_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_set>

namespace mux {
namespace {

// 10,273 is a number of buckets that the standard library takes for a table of this size: by the
// number itself all of these would be in one.
TEST(MuxIdHash, SpreadsNumbersThatWereChosenToCollide) {
  std::unordered_set<std::uint32_t, IdHash> ids(0, IdHash{.seed = 7});
  for (std::uint32_t i = 0; i < 10'000; ++i) ids.insert(1 + i * 20'546);

  std::size_t most = 0;
  for (std::size_t bucket = 0; bucket < ids.bucket_count(); ++bucket)
    most = std::max(most, ids.bucket_size(bucket));

  EXPECT_EQ(ids.size(), 10'000U);
  EXPECT_LT(most, 20U);
}

TEST(MuxIdHash, IsAnotherForEachSeed) { EXPECT_NE(IdHash{.seed = 1}(5), IdHash{.seed = 2}(5)); }

}  // namespace
}  // namespace mux

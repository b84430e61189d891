#include "modules/kvs/store/hash.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

TEST(KvsHash, IsTheSameHoweverTheBytesAreCut) {
  const RollingHash hash(testing::kSecret);
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    auto by_byte = RollingHash::kEmpty;
    for (const char byte : bytes) by_byte = hash.extend(by_byte, byte);
    const std::size_t cut = size == 0 ? 0 : random() % size;
    const auto in_two =
        hash.extend(hash.extend(RollingHash::kEmpty, bytes.substr(0, cut)), bytes.substr(cut));

    EXPECT_EQ(hash.of(bytes), hash.finish(by_byte)) << size;
    EXPECT_EQ(hash.of(bytes), hash.finish(in_two)) << size;
  }
}

TEST(KvsHash, OfEachPrefixIsThatOfThePrefix) {
  const RollingHash hash(testing::kSecret);
  std::mt19937 random(2);
  std::string bytes(100, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (std::size_t from = 0; from <= bytes.size(); ++from) {
    const std::string_view head = std::string_view(bytes).substr(0, from);
    std::vector<RollingHash::State> states(bytes.size() - from + 1);
    hash.extend_each(hash.extend(RollingHash::kEmpty, head), bytes.substr(from), states.data());
    for (std::size_t i = 0; i < states.size(); ++i) {
      ASSERT_EQ(hash.finish(states[i]), hash.of(bytes.substr(0, from + i))) << from << " " << i;
    }
  }
}

TEST(KvsHash, StaysTheSameForVeryLongKeys) {
  const RollingHash hash({~std::uint64_t{0}, 0});
  const std::string bytes(65535, '\xff');
  auto by_byte = RollingHash::kEmpty;
  for (const char byte : bytes) by_byte = hash.extend(by_byte, byte);
  EXPECT_EQ(hash.of(bytes), hash.finish(by_byte));
}

TEST(KvsHash, CountsZeroBytesAndOrder) {
  const RollingHash hash(testing::kSecret);
  std::set<std::uint64_t> hashes;
  for (const std::string& key : {std::string(), std::string(1, '\0'), std::string(2, '\0'),
                                 std::string("ab"), std::string("ba")}) {
    hashes.insert(hash.of(key));
  }
  EXPECT_EQ(hashes.size(), 5U);
}

TEST(KvsHash, IsAnotherWithAnotherSecret) {
  EXPECT_NE(RollingHash({1, 2}).of("key"), RollingHash({3, 2}).of("key"));
  EXPECT_NE(RollingHash({1, 2}).of("key"), RollingHash({1, 3}).of("key"));
}

}  // namespace
}  // namespace kvs

#include "modules/kvs/store/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "tests/unit/kvs/shared_memory.h"

namespace kvs {
namespace {

__extension__ using Wide = unsigned __int128;

std::string random_bytes(std::size_t size) {
  std::mt19937 random(static_cast<unsigned>(size));
  std::string bytes(size, '\0');
  std::ranges::generate(bytes, [&] { return static_cast<char>(random()); });
  return bytes;
}

// As hash.h says it, one digit after the other, each reduced to the end.
std::uint64_t by_hand(const HashSecret& secret, std::string_view bytes) {
  constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  constexpr std::uint64_t kLeast = std::uint64_t{1} << 58;
  const std::uint64_t point = kLeast | (secret.point & (kLeast - 1));
  std::uint64_t value = 0;
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 7))) {
    const std::string_view some = bytes.substr(0, 7);
    std::uint64_t digit = std::uint64_t{some.size()} << 56;
    for (std::size_t i = 0; i < some.size(); ++i)
      digit += std::uint64_t{static_cast<unsigned char>(some[i])} << (8 * i);
    value = static_cast<std::uint64_t>((Wide{value} * point + digit) % kPrime);
  }
  value = static_cast<std::uint64_t>(Wide{value} * point % kPrime) ^ secret.whitening;
  value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
  value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
  return value ^ (value >> 33);
}

TEST(KvsHash, IsThePolynomial) {
  const RollingHash hash(testing::kSecret);
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string bytes = random_bytes(size);
    EXPECT_EQ(hash.of(bytes), by_hand(testing::kSecret, bytes)) << size;
  }
}

TEST(KvsHash, OfEachPrefixIsThatOfThePrefix) {
  const RollingHash hash(testing::kSecret);
  PrefixHashes prefixes(hash);
  for (const std::size_t size : {100U, 0U, 7U, 6U, 8U, 97U}) {
    const std::string bytes = random_bytes(size);
    prefixes.prepare(bytes);
    for (std::size_t length = 0; length <= size; ++length) {
      ASSERT_EQ(prefixes.of(length), hash.of(bytes.substr(0, length))) << size << " " << length;
    }
  }
}

// The largest sums that there are.
TEST(KvsHash, StaysTheSameForVeryLongKeys) {
  const HashSecret secret{~std::uint64_t{0}, 0};
  const std::string bytes(65535, '\xff');
  EXPECT_EQ(RollingHash(secret).of(bytes), by_hand(secret, bytes));
}

TEST(KvsHash, CountsZeroBytesAndOrder) {
  const RollingHash hash(testing::kSecret);
  std::set<std::uint64_t> hashes;
  for (std::size_t zeros = 0; zeros < 30; ++zeros) hashes.insert(hash.of(std::string(zeros, '\0')));
  for (const char* key : {"ab", "ba", "seven of", "seveno f"}) hashes.insert(hash.of(key));
  EXPECT_EQ(hashes.size(), 34U);
}

TEST(KvsHash, IsAnotherWithAnotherSecret) {
  EXPECT_NE(RollingHash({1, 2}).of("key"), RollingHash({3, 2}).of("key"));
  EXPECT_NE(RollingHash({1, 2}).of("key"), RollingHash({1, 3}).of("key"));
}

}  // namespace
}  // namespace kvs

// A zone's header: what a fresh one says, and that any bytes are refused or read in bounds.
#include "common/zone.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <ostream>

namespace drover {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kSize = 10'000;  // not whole pages

ZoneHeader good_header() {
  ZoneHeader header;
  header.size_bytes = kSize;
  header.state = static_cast<std::uint32_t>(ZoneState::kReady);
  std::ranges::copy(std::string_view("counter"), header.owner.begin());
  header.owner_version = 3;
  return header;
}

Result<ZoneInfo> check(const ZoneHeader& header) {
  return check_zone_header(std::as_bytes(std::span(&header, 1)), kSize);
}

TEST(ZoneHeader, SaysWhoseTheZoneIs) {
  const auto info = check(good_header());

  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info.value().state, ZoneState::kReady);
  EXPECT_EQ(info.value().owner, (ZoneOwner{"counter", 3, 0}));
}

struct Garbage {
  const char* name;
  void (*spoil)(ZoneHeader&);
  const char* error;
};
void PrintTo(const Garbage& row, std::ostream* out) { *out << row.name; }
class GarbageHeaderTest : public testing::TestWithParam<Garbage> {};

TEST_P(GarbageHeaderTest, IsRefusedWithTheReason) {
  ZoneHeader header = good_header();
  GetParam().spoil(header);

  const auto info = check(header);

  ASSERT_FALSE(info.ok());
  EXPECT_THAT(info.error().message(), HasSubstr(GetParam().error));
}

INSTANTIATE_TEST_SUITE_P(
    Table, GarbageHeaderTest,
    testing::Values(
        Garbage{"magic", [](ZoneHeader& h) { h.magic[0] = 'x'; }, "is not a zone's"},
        Garbage{"version", [](ZoneHeader& h) { h.version = 9; }, "has version 9"},
        Garbage{"size", [](ZoneHeader& h) { h.size_bytes = 1; }, "says 1 bytes, it has 10000"},
        Garbage{"largest_size",
                [](ZoneHeader& h) { h.size_bytes = std::numeric_limits<std::uint64_t>::max(); },
                "says 18446744073709551615 bytes"},
        Garbage{"state", [](ZoneHeader& h) { h.state = 4; }, "no such state as 4"},
        Garbage{"no_owner", [](ZoneHeader& h) { h.owner.fill('\0'); }, "no module's name"},
        Garbage{"endless_owner", [](ZoneHeader& h) { h.owner.fill('a'); }, "no module's name"},
        Garbage{"odd_owner", [](ZoneHeader& h) { h.owner[0] = '\n'; }, "no module's name"}),
    [](const auto& row) { return row.param.name; });

TEST(ZoneHeader, IsRefusedWhenItIsCutOff) {
  const ZoneHeader header = good_header();
  const auto bytes = std::as_bytes(std::span(&header, 1));

  EXPECT_FALSE(check_zone_header(bytes.first(bytes.size() - 1), kSize).ok());
  EXPECT_FALSE(check_zone_header({}, kSize).ok());
}

TEST(MakeZone, IsFreshAndZeroBehindItsHeader) {
  const auto zone = make_zone("counter", kSize);

  ASSERT_TRUE(zone.ok());
  const auto info = read_zone_header(zone.value().get(), kSize);
  ASSERT_TRUE(info.ok()) << info.error().message();
  EXPECT_EQ(info.value().state, ZoneState::kFresh);
  std::string memory(kSize, 'x');
  ASSERT_EQ(pread(zone.value().get(), memory.data(), kSize, kZoneHeaderSize), kSize);
  EXPECT_EQ(memory, std::string(kSize, '\0'));
}

TEST(MakeZone, IsSealedAgainstAnotherSize) {
  const auto zone = make_zone("counter", kSize);
  ASSERT_TRUE(zone.ok());

  EXPECT_EQ(ftruncate(zone.value().get(), 0), -1);
  EXPECT_EQ(ftruncate(zone.value().get(), 1 << 20), -1);
  EXPECT_EQ(fcntl(zone.value().get(), F_ADD_SEALS, F_SEAL_WRITE), -1)
      << "nor can it be sealed more";
}

TEST(CountUncleanEnd, IsOneMoreThanStandsThereAndThanTheFloor) {
  const auto zone = make_zone("counter", kSize);
  ASSERT_TRUE(zone.ok());
  const int fd = zone.value().get();

  EXPECT_EQ(count_unclean_end(fd, 6).value(), 7U);
  EXPECT_EQ(count_unclean_end(fd, 0).value(), 8U);

  EXPECT_EQ(read_zone_header(fd, kSize).value().unclean_ends, 8U);
}

// What a worker has written there.
TEST(CountUncleanEnd, NeverBeginsAnew) {
  const auto zone = make_zone("counter", kSize);
  ASSERT_TRUE(zone.ok());
  const std::uint64_t last = ~std::uint64_t{0};
  ASSERT_EQ(pwrite(zone.value().get(), &last, sizeof last, offsetof(ZoneHeader, unclean_ends)),
            static_cast<ssize_t>(sizeof last));

  EXPECT_EQ(count_unclean_end(zone.value().get(), 6).value(), 7U);
}

// A master and the one before it, both with workers that die.
TEST(CountUncleanEnd, GivesNoNumberTwice) {
  constexpr std::uint64_t kEach = 20'000;
  const auto zone = make_zone("counter", kSize);
  ASSERT_TRUE(zone.ok());
  const auto count = [fd = zone.value().get()] {
    for (std::uint64_t i = 0; i < kEach; ++i) static_cast<void>(count_unclean_end(fd, 0));
  };

  std::thread other(count);
  count();
  other.join();

  EXPECT_EQ(read_zone_header(zone.value().get(), kSize).value().unclean_ends, 2 * kEach);
}

}  // namespace
}  // namespace drover

// Numbers, durations and sizes: what is read, how it is printed, what is refused and why.
#include "common/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace drover {
namespace {

using testing::HasSubstr;

struct Reading {
  const char* text;
  std::int64_t value;
  const char* printed;
};

struct Refusal {
  const char* text;
  const char* message;
};

class DurationReading : public testing::TestWithParam<Reading> {};

TEST_P(DurationReading, IsReadAndPrintedInItsLargestUnit) {
  auto duration = parse_duration(GetParam().text);
  ASSERT_TRUE(duration.ok()) << duration.error().message();
  EXPECT_EQ(duration->count(), GetParam().value);
  EXPECT_EQ(format_duration(*duration), GetParam().printed);
}

INSTANTIATE_TEST_SUITE_P(
    Units, DurationReading,
    testing::Values(Reading{"0", 0, "0"}, Reading{"250ms", 250, "250ms"},
                    Reading{"75", 75'000, "75s"}, Reading{"75s", 75'000, "75s"},
                    Reading{"120s", 120'000, "2m"}, Reading{"1h30m", 5'400'000, "90m"},
                    Reading{"1m500ms", 60'500, "60500ms"}, Reading{"2d", 172'800'000, "2d"},
                    Reading{"3650d", 315'360'000'000, "3650d"}));

class DurationRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(DurationRefusal, SaysWhy) {
  auto duration = parse_duration(GetParam().text);
  ASSERT_FALSE(duration.ok()) << GetParam().text;
  EXPECT_THAT(duration.error().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Units, DurationRefusal,
    testing::Values(Refusal{"", "is not a duration"}, Refusal{"s", "is not a duration"},
                    Refusal{"-5s", "is not a duration"}, Refusal{"5 s", "is not a duration"},
                    Refusal{"1.5s", "is not a duration"}, Refusal{"5sec", "is not a duration"},
                    Refusal{"5S", "is not a duration"}, Refusal{"30m1h", "is not a duration"},
                    Refusal{"1h1h", "is not a duration"}, Refusal{"1h30", "is not a duration"},
                    Refusal{"3651d", "is too long"}, Refusal{"3650d1ms", "is too long"},
                    Refusal{"9223372036854775807d", "is too long"},
                    Refusal{"99999999999999999999s", "is too long"}));

class SizeReading : public testing::TestWithParam<Reading> {};

TEST_P(SizeReading, IsReadAndPrintedInItsLargestUnit) {
  auto size = parse_size(GetParam().text);
  ASSERT_TRUE(size.ok()) << size.error().message();
  EXPECT_EQ(*size, GetParam().value);
  EXPECT_EQ(format_size(*size), GetParam().printed);
}

INSTANTIATE_TEST_SUITE_P(Units, SizeReading,
                         testing::Values(Reading{"0", 0, "0"}, Reading{"4096", 4096, "4k"},
                                         Reading{"4097", 4097, "4097"},
                                         Reading{"64k", 65'536, "64k"},
                                         Reading{"64K", 65'536, "64k"},
                                         Reading{"1024m", 1 << 30, "1g"},
                                         Reading{"1048576g", std::int64_t{1} << 50, "1048576g"}));

class SizeRefusal : public testing::TestWithParam<Refusal> {};

TEST_P(SizeRefusal, SaysWhy) {
  auto size = parse_size(GetParam().text);
  ASSERT_FALSE(size.ok()) << GetParam().text;
  EXPECT_THAT(size.error().message(), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Units, SizeRefusal,
    testing::Values(Refusal{"", "is not a size"}, Refusal{"k", "is not a size"},
                    Refusal{"-1", "is not a size"}, Refusal{"1kb", "is not a size"},
                    Refusal{"1t", "is not a size"}, Refusal{"1\x8b", "is not a size"},
                    Refusal{"1048577g", "is too large"},
                    Refusal{"9223372036854775807g", "is too large"},
                    Refusal{"99999999999999999999", "is too large"}));

TEST(Number, IsDecimalDigitsOnly) {
  EXPECT_EQ(parse_number("9223372036854775807").value(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_number("007").value(), 7);
  for (const char* text : {"", "+1", "-1", "0x10", " 1", "1 ", "1e3"}) {
    EXPECT_FALSE(parse_number(text).ok()) << text;
  }
  EXPECT_THAT(parse_number("9223372036854775808").error().message(), HasSubstr("too large"));
}

}  // namespace
}  // namespace drover

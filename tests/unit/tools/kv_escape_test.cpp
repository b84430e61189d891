#include "tools/kv/escape.h"

#include <gtest/gtest.h>

#include <set>

namespace drover::kv {
namespace {

using std::string_literals::operator""s;

std::string every_byte() {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  return all;
}

TEST(KvEscape, GivesEveryByteBack) {
  const std::string all = every_byte();
  std::set<std::string> different;
  for (const char one : all) {
    const std::string text = escaped({&one, 1});
    EXPECT_EQ(unescaped(text).value(), std::string(1, one));
    different.insert(text);
  }

  EXPECT_EQ(different.size(), 256);
  EXPECT_EQ(unescaped(escaped(all)).value(), all);
}

TEST(KvEscape, GivesEveryTwoBytesBackAsKeyAndValue) {
  for (const char first : every_byte()) {
    for (const char second : every_byte()) {
      const std::string both{first, second};
      const std::string line = to_line(both, both);
      ASSERT_EQ(line.find('\n'), line.size() - 1);
      const Result<Pair> pair = parse_line(std::string_view(line).substr(0, line.size() - 1));
      ASSERT_TRUE(pair.ok());
      ASSERT_EQ(pair.value().key, both);
      ASSERT_EQ(pair.value().value, both);
    }
  }
}

TEST(KvEscape, LeavesTextReadable) {
  EXPECT_EQ(escaped("a b\xc3\xa4\"'%"), "a b\xc3\xa4\"'%");
  EXPECT_EQ(escaped("\\\t\n\r\0\x1b\x7f"s), "\\\\\\t\\n\\r\\x00\\x1b\\x7f");
}

TEST(KvEscape, TakesEitherCaseAndBytesThatNeedNone) {
  EXPECT_EQ(unescaped("\\x0a\\x0A\\x41\xff").value(), "\n\nA\xff");
}

class BadEscape : public ::testing::TestWithParam<const char*> {};

TEST_P(BadEscape, IsRefused) { EXPECT_FALSE(unescaped(GetParam()).ok()); }

INSTANTIATE_TEST_SUITE_P(All, BadEscape,
                         ::testing::Values("\\", "a\\", "\\a", "\\0", "\\x", "\\x1", "\\x1g",
                                           "\\x-1", "\\x 1", "\\X41", "\\\\\\"));

TEST(KvLine, IsKeyTabValue) {
  const Pair pair = parse_line("k\\t\tv\tw\r").value();

  EXPECT_EQ(pair.key, "k\t");
  EXPECT_EQ(pair.value, "v\tw\r");
  EXPECT_EQ(parse_line("k\t").value().value, "");
}

TEST(KvLine, SaysWhatIsWrong) {
  EXPECT_EQ(parse_line("").error().message(), "no tab between key and value");
  EXPECT_EQ(parse_line("k v").error().message(), "no tab between key and value");
  EXPECT_EQ(parse_line("\tv").error().message(), "the key is empty");
  EXPECT_EQ(parse_line("\\k\tv").error().message(),
            "\"\\k\" is no escape; write \\\\, \\t, \\n, \\r or \\xNN");
  EXPECT_EQ(parse_line(std::string(65'536, 'k') + "\tv").error().message(),
            "a key of 65536 bytes; the longest has 65535");
}

}  // namespace
}  // namespace drover::kv

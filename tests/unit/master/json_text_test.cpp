#include "master/json_text.h"

#include <gtest/gtest.h>

#include <vector>

namespace drover {
namespace {

TEST(JsonText, EscapesWhatJsonDoesNotHave) {
  EXPECT_EQ(quoted("a\"b\\c\nd"), R"("a\"b\\c\u000ad")");
  EXPECT_EQ(quoted(std::string_view("\0\x7f", 2)), R"("\u0000\u007f")");
}

TEST(JsonText, KeepsUtf8) { EXPECT_EQ(quoted("ä€😀"), "\"ä€😀\""); }

TEST(JsonText, ReplacesWhatIsNotUtf8) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(quoted("a\xff z"), "\"a" + mark + " z\"");
  EXPECT_EQ(quoted("\xe2\x82"), "\"" + mark + mark + "\"") << "cut off";
  EXPECT_EQ(quoted("\xc0\x80"), "\"" + mark + mark + "\"") << "the long way";
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"" + mark + mark + mark + "\"") << "a surrogate";
  EXPECT_EQ(quoted("\xc3("), "\"" + mark + "(\"");
}

TEST(JsonText, PutsCommasBetween) {
  const auto same = [](const std::string& text) { return text; };
  EXPECT_EQ(joined(std::vector<std::string>{}, same), "");
  EXPECT_EQ(joined(std::vector<std::string>{"", "a", "b"}, same), ",a,b");
}

}  // namespace
}  // namespace drover

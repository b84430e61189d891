// The reader around inih: each of inih's traps is a test here, with what Drover makes of it.
#include "common/config_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace drover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// "line section/key=value" of each directive, "line [section]" of each header.
std::vector<std::string> show(const ConfigText& text) {
  std::vector<std::string> shown;
  for (const ConfigLine& line : text.lines) {
    const std::string number = std::to_string(line.source.line) + " ";
    shown.push_back(line.kind == ConfigLine::Kind::kSection
                        ? number + "[" + line.section + "]"
                        : number + line.section + "/" + line.key + "=" + line.value);
  }
  return shown;
}

std::vector<std::string> read(std::string_view text) {
  const ConfigText parsed = parse_config_text(text, "f");
  EXPECT_THAT(parsed.errors, IsEmpty());
  return show(parsed);
}

std::vector<std::string> errors_of(std::string_view text) {
  return parse_config_text(text, "f").errors;
}

TEST(ConfigFile, ReadsSectionsAndDirectivesWithTheirLines) {
  EXPECT_THAT(read("[drover]\nworkers = 4\n\n[server web]\nlisten=*:80\n"),
              ElementsAre("1 [drover]", "2 drover/workers=4", "4 [server web]",
                          "5 server web/listen=*:80"));
}

TEST(ConfigFile, ReadsALastLineWithoutItsNewline) {
  EXPECT_THAT(read("[a]\nb=1"), ElementsAre("1 [a]", "2 a/b=1"));
}

TEST(ConfigFile, ReadsLinesThatEndAsOnWindows) {
  EXPECT_THAT(read("[a]\r\nb=1\r\n"), ElementsAre("1 [a]", "2 a/b=1"));
}

TEST(ConfigFile, PassesOverAByteOrderMark) {
  EXPECT_THAT(read("\xEF\xBB\xBF[a]\nb=1\n"), ElementsAre("1 [a]", "2 a/b=1"));
}

TEST(ConfigFile, TakesNoIndentedLineForAContinuation) {
  EXPECT_THAT(read("[a]\nb = 1\n  c = 2\n\td = 3\n  [e]\n    f = 4\n"),
              ElementsAre("1 [a]", "2 a/b=1", "3 a/c=2", "4 a/d=3", "5 [e]", "6 e/f=4"));
}

TEST(ConfigFile, TellsAnIndentedLineThatIsNothing) {
  EXPECT_THAT(errors_of("[a]\nb = 1\n  continued\n"),
              ElementsAre("f:3: \"continued\" is neither a section nor a directive; "
                          "write name = value"));
}

TEST(ConfigFile, ReadsALineThatJustFits) {
  const std::string value(kLongestConfigLine - 2, 'x');
  EXPECT_THAT(read("[a]\n   b=" + value + "\n"), ElementsAre("1 [a]", "2 a/b=" + value));
}

TEST(ConfigFile, RefusesALineThatInihWouldSplit) {
  const std::string value(kLongestConfigLine - 1, 'x');
  const ConfigText text = parse_config_text("[a]\nb=" + value + "\nc=1\n", "f");
  EXPECT_THAT(text.errors, ElementsAre("f:2: the line is too long: 200 bytes; use at most 199"));
  EXPECT_THAT(show(text), ElementsAre("1 [a]", "3 a/c=1"));
}

TEST(ConfigFile, RefusesALongLineWhoseRestLooksLikeADirective) {
  const std::string line = "b=" + std::string(197, ' ') + "c=2";
  EXPECT_THAT(show(parse_config_text("[a]\n" + line + "\n", "f")), ElementsAre("1 [a]"));
  EXPECT_THAT(errors_of("[a]\n" + line), ElementsAre(HasSubstr("f:2: the line is too long")));
}

TEST(ConfigFile, LetsACommentBeAsLongAsItLikes) {
  EXPECT_THAT(read("; " + std::string(5000, 'x') + "\n[a]\nb=1"), ElementsAre("2 [a]", "3 a/b=1"));
}

TEST(ConfigFile, KeepsSectionsApartThatInihWouldMerge) {
  const std::string name(kLongestSectionName, 's');
  EXPECT_THAT(read("[" + name + "]\n"), ElementsAre("1 [" + name + "]"));
  const ConfigText text = parse_config_text("[" + name + "1]\nb=1\n[" + name + "2]\nb=2\n", "f");
  EXPECT_THAT(text.errors,
              ElementsAre("f:1: the section name is too long: 50 bytes; use at most 49",
                          "f:3: the section name is too long: 50 bytes; use at most 49"));
  ASSERT_THAT(text.lines, SizeIs(2));
  EXPECT_TRUE(text.lines[0].section_is_broken);
}

TEST(ConfigFile, SeesEmptySections) {
  EXPECT_THAT(read("[a]\n[b]\n[a]\n"), ElementsAre("1 [a]", "2 [b]", "3 [a]"));
}

TEST(ConfigFile, MakesBlanksInASectionNameSingle) {
  EXPECT_THAT(read("[  server \t web ]\nb=1"), ElementsAre("1 [server web]", "2 server web/b=1"));
}

TEST(ConfigFile, TakesASemicolonAfterABlankForAComment) {
  EXPECT_THAT(read("; one\n# two\n  ; three\n[a] ; four\nb = 1 ; five\nc = x;y\nd = x #y\n"),
              ElementsAre("4 [a]", "5 a/b=1", "6 a/c=x;y", "7 a/d=x #y"));
}

TEST(ConfigFile, RefusesANulThatWouldHideTheRestOfALine) {
  const ConfigText text = parse_config_text(std::string_view("[a]\nb=1\0c=2\nd=3\n", 16), "f");
  EXPECT_THAT(text.errors, ElementsAre("f:2: contains a NUL byte; a configuration is plain text"));
  EXPECT_THAT(show(text), ElementsAre("1 [a]", "3 a/d=3"));
}

TEST(ConfigFile, RefusesControlCharacters) {
  EXPECT_THAT(errors_of("[a]\nb=\x1b[2J\n"), ElementsAre(HasSubstr("f:2: contains a control")));
  EXPECT_THAT(errors_of("[a]\rb=1\n"), ElementsAre(HasSubstr("f:1: contains a control")));
}

TEST(ConfigFile, TellsEveryWrongLineNotOnlyTheFirst) {
  EXPECT_THAT(
      errors_of("[a]\none\ntwo\nb=1\n[three\n= 4\n"),
      ElementsAre(HasSubstr("f:2: \"one\" is neither"), HasSubstr("f:3: \"two\" is neither"),
                  HasSubstr("f:5: the section header \"[three\" is not closed"),
                  HasSubstr("f:6: there is no directive before the =")));
}

TEST(ConfigFile, TellsALastLineThatIsNothing) {
  EXPECT_THAT(errors_of("[a]\nb"), ElementsAre(HasSubstr("f:2: \"b\" is neither")));
}

TEST(ConfigFile, TellsAMissingEqualsSignBeforeAPort) {
  EXPECT_THAT(errors_of("[a]\nlisten 127.0.0.1:80\n"),
              ElementsAre(HasSubstr("f:2: there is no = between directive and value")));
}

TEST(ConfigFile, TellsADirectiveCutOffByAComment) {
  EXPECT_THAT(errors_of("[a]\nworkers ;= 4\n"), ElementsAre(HasSubstr("f:2:")));
}

TEST(ConfigFile, RefusesAValueThatBeginsAsACommentWould) {
  EXPECT_THAT(errors_of("[a]\nb =;c\n"), ElementsAre(HasSubstr("f:2: the value of \"b =;c\"")));
}

TEST(ConfigFile, KeepsAnEmptyValue) {
  EXPECT_THAT(read("[a]\nb =\nc = ;x\n"), ElementsAre("1 [a]", "2 a/b=", "3 a/c="));
}

struct HeaderRefusal {
  const char* header;
  const char* message;
};

class SectionHeader : public testing::TestWithParam<HeaderRefusal> {};

TEST_P(SectionHeader, IsRefusedWithAdviceAndEndsTheSectionAboveIt) {
  const ConfigText text =
      parse_config_text("[a]\n" + std::string(GetParam().header) + "\nb=1\n", "f");
  ASSERT_THAT(text.errors, SizeIs(1));
  EXPECT_THAT(text.errors.front(), HasSubstr(GetParam().message));
  ASSERT_THAT(text.lines, SizeIs(2));
  EXPECT_TRUE(text.lines.back().section_is_broken);
  EXPECT_NE(text.lines.back().section, "a");
}

INSTANTIATE_TEST_SUITE_P(ConfigFile, SectionHeader,
                         testing::Values(HeaderRefusal{"[server", "is not closed; end it with ]"},
                                         HeaderRefusal{"[]", "is empty"},
                                         HeaderRefusal{"[  ]", "is empty"},
                                         HeaderRefusal{"[x] c = 1", "put it on its own line"},
                                         HeaderRefusal{"[x]]", "put it on its own line"},
                                         HeaderRefusal{"[x ; y]", "contains a comment"},
                                         HeaderRefusal{"[x\x01]", "contains a control character"}));

// Whole files.
class ConfigFileOnDisk : public testing::Test {
 protected:
  ConfigFileOnDisk() { directory_ = mkdtemp(name_); }
  ~ConfigFileOnDisk() override { std::filesystem::remove_all(directory_); }
  std::string write(const std::string& content) const {
    std::ofstream(directory_ + "/c", std::ios::binary) << content;
    return directory_ + "/c";
  }
  static std::string error_of(const std::string& path) {
    auto content = read_config_file(path);
    return content.ok() ? "" : content.error().message();
  }
  char name_[32] = "/tmp/drover-config-XXXXXX";
  std::string directory_;
};

TEST_F(ConfigFileOnDisk, IsReadAsItIs) {
  const std::string content("a\0b\r\n", 5);
  EXPECT_EQ(read_config_file(write(content)).value(), content);
}

TEST_F(ConfigFileOnDisk, MayBeOneMebibyteAndNoByteMore) {
  EXPECT_EQ(error_of(write(std::string(kLargestConfigFile, ';'))), "");
  EXPECT_THAT(error_of(write(std::string(kLargestConfigFile + 1, ';'))),
              HasSubstr("it is larger than 1 MiB"));
}

TEST_F(ConfigFileOnDisk, IsToldWhenItIsMissing) {
  EXPECT_EQ(error_of("/nowhere/drover.conf"),
            "/nowhere/drover.conf: cannot read the configuration: No such file or directory");
}

TEST_F(ConfigFileOnDisk, IsToldWhenItIsADirectory) {
  EXPECT_THAT(error_of(directory_), HasSubstr("it is a directory; name a file"));
}

TEST_F(ConfigFileOnDisk, IsNotWaitedForWhenItIsAPipe) {
  const std::string path = directory_ + "/fifo";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(error_of(path), HasSubstr("it is not a regular file"));
}

TEST_F(ConfigFileOnDisk, IsToldWhenItIsUnreadable) {
  // Root may read everything, but not through a name that is too long or a loop of links.
  const std::string path = directory_ + "/loop";
  ASSERT_EQ(symlink(path.c_str(), path.c_str()), 0);
  EXPECT_THAT(error_of(path), HasSubstr("Too many levels of symbolic links"));
}

TEST_F(ConfigFileOnDisk, IsToldWhenPermissionIsDenied) {
  const std::string path = write("[drover]\n");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  if (geteuid() == 0) {
    ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
    ASSERT_EQ(seteuid(65534), 0);  // nobody
  }
  const std::string error = error_of(path);
  ASSERT_EQ(seteuid(getuid()), 0);
  EXPECT_THAT(error, HasSubstr("cannot read the configuration: Permission denied"));
}

}  // namespace
}  // namespace drover

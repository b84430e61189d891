// include: order, wildcards, loops and limits; -g over the files.
#include "common/config_tree.h"

#include "tests/unit/common/config_fixture.h"

namespace drover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigInclude : public ConfigFixture {
 protected:
  static std::vector<std::string> names(const Settings& settings) {
    std::vector<std::string> names;
    for (const ServerSettings& server : settings.servers) names.push_back(server.name);
    return names;
  }
  static std::string server(const std::string& name, int port) {
    return "[server " + name + "]\nprotocol = echo\nlisten = 127.0.0.1:" + std::to_string(port) +
           "\n";
  }
};

TEST_F(ConfigInclude, ReadsMatchesByNameUnderThePrefix) {
  write("on/b.conf", server("b", 2));
  write("on/a.conf", server("a", 1));
  write("on/c.conf.off", server("c", 3));
  const ConfigResult result = load("[drover]\ninclude = on/*.conf\nworkers = 3\n" + server("z", 9));
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_THAT(names(result.settings), ElementsAre("a", "b", "z"));
  EXPECT_EQ(result.settings.workers, 3);
}

TEST_F(ConfigInclude, NamesTheIncludedFileInErrors) {
  write("on/a.conf", "[server a]\nprotocol = echo\nlisen = *:1\n");
  EXPECT_THAT(
      load("[drover]\ninclude = on/a.conf\n" + server("z", 9)).errors,
      ElementsAre("on/a.conf:3: [server a] lisen: unknown directive; did you mean listen?"));
}

TEST_F(ConfigInclude, LetsEachIncludedFileHaveItsDroverSection) {
  write("a.conf", "[drover]\nload = a\n");
  write("b.conf", "[drover]\nload = b\n");
  const ConfigResult result =
      load(std::string("[drover]\nload = echo\ninclude = ?.conf\n") + kServer);
  // d.conf matches too, and that is a loop.
  EXPECT_THAT(result.errors, ElementsAre(HasSubstr("d.conf includes itself")));
  EXPECT_THAT(result.settings.load, ElementsAre("echo", "a", "b"));
}

TEST_F(ConfigInclude, TellsADirectiveThatTwoFilesSet) {
  write("a.conf", "[drover]\nworkers = 2\n");
  EXPECT_THAT(load(std::string("[drover]\nworkers = 1\ninclude = a.conf\n") + kServer).errors,
              ElementsAre("a.conf:2: [drover] workers: is already set at d.conf:2; "
                          "remove one of the two"));
}

TEST_F(ConfigInclude, TellsASectionThatTwoFilesHave) {
  write("a.conf", server("web", 1));
  EXPECT_THAT(load(std::string("[drover]\ninclude = a.conf\n") + kServer).errors,
              testing::Contains("d.conf:3: [server web]: the section is already at a.conf:1; "
                                "put its directives there"));
}

TEST_F(ConfigInclude, TellsALoop) {
  write("a.conf", "[drover]\ninclude = b.conf\n");
  write("b.conf", "[drover]\ninclude = a.conf\n");
  EXPECT_THAT(load(std::string("[drover]\ninclude = a.conf\n") + kServer).errors,
              ElementsAre("b.conf:2: [drover] include: a.conf includes itself; remove the loop"));
}

TEST_F(ConfigInclude, TellsALoopThroughALink) {
  write("x/keep", "");
  std::filesystem::create_symlink("../d.conf", directory_ + "/x/link.conf");
  EXPECT_THAT(load(std::string("[drover]\ninclude = x/*.conf\n") + kServer).errors,
              ElementsAre(HasSubstr("x/link.conf includes itself")));
}

TEST_F(ConfigInclude, TellsWhenFilesAreIncludedTooDeep) {
  for (int i = 1; i <= 9; ++i) {
    write(std::to_string(i), "[drover]\ninclude = " + std::to_string(i + 1) + "\n");
  }
  EXPECT_THAT(load(std::string("[drover]\ninclude = 1\n") + kServer).errors,
              ElementsAre("8:2: [drover] include: files are included too deep; "
                          "use at most 8 levels"));
}

TEST_F(ConfigInclude, StopsAtTooManyFiles) {
  for (int i = 0; i < 12; ++i) write("many/" + std::to_string(i), "");
  write("again", [] {
    std::string text = "[drover]\n";
    for (int i = 0; i < 100; ++i) text += "include = many/*\n";
    return text;
  }());
  EXPECT_THAT(load(std::string("[drover]\ninclude = again\n") + kServer).errors,
              testing::Contains(HasSubstr("too many files; use at most 1000")));
}

TEST_F(ConfigInclude, TellsAMissingFileButNotAnEmptyWildcard) {
  EXPECT_THAT(load(std::string("[drover]\ninclude = none/*.conf\n") + kServer).errors, IsEmpty());
  EXPECT_THAT(load(std::string("[drover]\ninclude = none.conf\n") + kServer).errors,
              ElementsAre("d.conf:2: [drover] include: none.conf: cannot read the configuration: "
                          "No such file or directory"));
}

TEST_F(ConfigInclude, TellsADirectory) {
  write("dir/keep", "");
  EXPECT_THAT(load(std::string("[drover]\ninclude = dir\n") + kServer).errors,
              ElementsAre(HasSubstr("dir: cannot read the configuration: it is a directory")));
}

TEST_F(ConfigInclude, BelongsInDrover) {
  EXPECT_THAT(load(std::string(kServer) + "include = x\n").errors,
              ElementsAre("d.conf:4: [server web] include: unknown here; it belongs in [drover]"));
}

using ConfigOverride = ConfigInclude;

TEST_F(ConfigOverride, ReplacesWhatTheFilesSay) {
  const ConfigResult result = load(std::string("[drover]\nworkers = 1\n") + kServer,
                                   {{"drover", "workers", "2"},
                                    {"web", "listen", "127.0.0.1:1"},
                                    {"server web", "listen", "127.0.0.1:2"},
                                    {"web", "echo.size", "3"}});
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(result.settings.workers, 2);
  ASSERT_EQ(result.settings.servers[0].listens.size(), 2U);
  EXPECT_EQ(result.settings.servers[0].listens[1].address.port(), 2);
  EXPECT_EQ(result.settings.servers[0].module_directives[0].value, "3");
}

TEST_F(ConfigOverride, NeedsNoDroverSection) {
  EXPECT_EQ(load(kServer, {{"drover", "workers", "2"}}).settings.workers, 2);
}

TEST_F(ConfigOverride, IsCheckedLikeALine) {
  EXPECT_THAT(load(kServer, {{"drover", "workers", "x"},
                             {"drover", "wrokers", "1"},
                             {"drover", "pid", "a\nb"},
                             {"drover", "include", "x"},
                             {"wbe", "listen", "*:1"}})
                  .errors,
              testing::UnorderedElementsAre(
                  HasSubstr("-g:1: [drover] workers: \"x\" is not a number"),
                  HasSubstr("-g:2: [drover] wrokers: unknown directive; did you mean workers?"),
                  HasSubstr("-g:3: \"a\\x0ab\" contains a control character"),
                  HasSubstr("-g:4: [drover] include: cannot be set with -g"),
                  HasSubstr("-g:5: there is no section [server wbe]")));
}

TEST(ParseOverride, SplitsAtTheFirstDotAndEqualsSign) {
  auto override_ = parse_override("server web.kvs.zone = a=b");
  ASSERT_TRUE(override_.ok());
  EXPECT_EQ(override_->section, "server web");
  EXPECT_EQ(override_->key, "kvs.zone");
  EXPECT_EQ(override_->value, "a=b");
}

TEST(ParseOverride, SaysHowItIsWritten) {
  for (const char* text : {"", "workers=4", "drover.workers", "a=b.c"}) {
    auto override_ = parse_override(text);
    ASSERT_FALSE(override_.ok()) << text;
    EXPECT_THAT(override_.error().message(), HasSubstr("write -g section.directive=value"));
  }
}

}  // namespace
}  // namespace drover

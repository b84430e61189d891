// The switch is read once per process, so each case asks it in a child of its own.
#include "common/fault.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace drover {
namespace {

// What `ask` answers in a child that has the rules in its environment.
template <class Ask>
void expect_with(const std::string& rules, Ask ask) {
  EXPECT_EXIT(
      {
        ::setenv("DROVER_FAULT", rules.c_str(), 1);
        std::exit(ask() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "")
      << rules;
}

TEST(Fault, HappensNowhereUnlessNamed) {
  expect_with("", [] { return !fault("fork"); });
  expect_with("bind", [] { return !fault("fork"); });
}

TEST(Fault, HappensAsOftenAsTheNumberSays) {
  expect_with("bind,fork:2", [] {
    const bool twice = fault("fork") && fault("fork");
    return twice && !fault("fork") && fault("bind") && fault("bind") && fault("bind");
  });
}

TEST(Fault, HappensAfterThePassesThatAreNamed) {
  expect_with("fork:2+1",
              [] { return !fault("fork") && !fault("fork") && fault("fork") && !fault("fork"); });
}

TEST(Fault, TellsTheModeOfAPoint) {
  expect_with("fork:2,ready:timeout", [] {
    return fault_mode("ready") == "timeout" && fault_mode("fork").empty() &&
           fault_mode("bind").empty();
  });
}

void write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

TEST(Fault, FollowsAFileThatIsWrittenWhileTheProcessRuns) {
  const std::string path = ::testing::TempDir() + "fault_test_rules";
  std::filesystem::remove(path);

  expect_with("@" + path, [&] {
    const bool before = fault("fork");
    write(path, "fork:1");
    const bool once = fault("fork") && !fault("fork");
    write(path, "bind");
    return !before && once && fault("bind") && !fault("fork");
  });
  std::filesystem::remove(path);
}

TEST(PausePoint, StopsAtThePassThatIsNamedAndNotAgain) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("DROVER_PAUSE", "line:2", 1);
    for (int pass = 0; pass < 6; ++pass) pause_point("line");
    ::_exit(0);
  }
  int stops = 0;
  int status = 0;
  while (::waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status)) {
    ++stops;
    ::kill(child, SIGCONT);
  }

  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(stops, 1);
}

}  // namespace
}  // namespace drover

#include "worker/crash_report.h"

#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>

#include "common/check.h"

namespace drover {
namespace {

class CrashReportTest : public testing::Test {
 protected:
  // Lets a child die by `crash` and returns its wait status.
  template <class Crash>
  int die_by(Crash crash) {
    const pid_t child = fork();
    if (child == 0) {
      install_crash_handler(report());
      crash();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }
  CrashReport& report() { return scoreboard_->seats[0].crash; }

 private:
  ScoreboardMapping scoreboard_ = make_scoreboard().mapping;
};

TEST_F(CrashReportTest, RecordsSignalAddressAndFramesAndDiesOfTheSignal) {
  void* forbidden = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  const int status = die_by([forbidden] { *static_cast<volatile int*>(forbidden) = 1; });

  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(report().signal, SIGSEGV);
  EXPECT_EQ(report().fault_address, reinterpret_cast<std::uint64_t>(forbidden));
  EXPECT_GT(report().frame_count, 2);
  EXPECT_LE(report().frame_count, kCrashFrames);
  const auto* frames = report().frames.begin();
  EXPECT_EQ(std::count(frames, frames + report().frame_count, 0U), 0);
}

TEST_F(CrashReportTest, RecordsAnOverflowOfTheStack) {
  const int status = die_by([] {
    const auto recurse = [](const auto& self, int depth) -> int {
      volatile char page[4096] = {};
      page[0] = static_cast<char>(depth);
      return page[0] == 1 && depth == 0 ? 0 : self(self, depth + 1) + page[0];
    };
    std::exit(recurse(recurse, 0));
  });

  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_EQ(report().signal, SIGSEGV);
}

TEST_F(CrashReportTest, RecordsAFailedCheckAsAbort) {
  const int status = die_by([] { DROVER_CHECK(1 + 1 == 3); });

  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  EXPECT_EQ(report().signal, SIGABRT);
  EXPECT_EQ(report().fault_address, 0U);
}

TEST_F(CrashReportTest, NotesWhereAModuleLies) {
  const char* const name = gnu_get_libc_version();  // a string that lies in a shared object
  const std::string on_stack = "echo";

  record_module(report(), "/usr/lib/some.so", name);
  record_module(report(), "nowhere.so", on_stack.c_str());

  ASSERT_EQ(report().module_count, 1);
  EXPECT_STREQ(report().modules[0].file.data(), "some.so");
  EXPECT_STREQ(report().modules[0].module.data(), name);
  EXPECT_LT(report().modules[0].start, reinterpret_cast<std::uint64_t>(name));
  EXPECT_GT(report().modules[0].end, reinterpret_cast<std::uint64_t>(name));
}

TEST_F(CrashReportTest, LeavesTheReportEmptyWhenNothingHappened) {
  EXPECT_EQ(die_by([] {}), 0);
  EXPECT_EQ(report().signal, 0);
}

}  // namespace
}  // namespace drover

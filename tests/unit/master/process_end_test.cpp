// What is said of a child that has ended.
#include "master/process_end.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace drover {
namespace {

TEST(ProcessEnd, NamesEverySignal) {
  EXPECT_EQ(signal_name(SIGKILL), "KILL");
  EXPECT_EQ(signal_name(SIGRTMIN + 2), "RT2");
  EXPECT_EQ(signal_name(32), "?");
}

TEST(ProcessEnd, SaysHowItCame) {
  EXPECT_EQ(describe_end(W_EXITCODE(3, 0)), "exited with status 3");
  EXPECT_EQ(describe_end(W_EXITCODE(0, SIGSEGV)), "was killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(describe_end(W_EXITCODE(0, 40)), "was killed by signal 40 (SIGRT6)");
}

TEST(ProcessEnd, IsCleanOnlyWithStatusZero) {
  EXPECT_TRUE(is_clean_end(W_EXITCODE(0, 0)));
  EXPECT_FALSE(is_clean_end(W_EXITCODE(1, 0)));
  EXPECT_FALSE(is_clean_end(W_EXITCODE(0, SIGTERM)));
}

}  // namespace
}  // namespace drover

// A crash report as text, whatever a process gone wild has left in it.
#include "master/crash_log.h"

#include <gtest/gtest.h>

#include <csignal>
#include <limits>

namespace drover {
namespace {

TEST(CrashText, OfAReportGoneWildIsBoundedAndPrintable) {
  CrashReport report;
  report.signal = SIGSEGV;
  report.frame_count = std::numeric_limits<std::int32_t>::max();
  report.module_count = std::numeric_limits<std::int32_t>::max();
  report.frames.fill(0x10);
  report.modules[0] = {0, 0x20, {}, {}};
  report.modules[0].file.fill('\n');

  const auto crash = describe_crash(report);

  ASSERT_TRUE(crash);
  EXPECT_EQ(crash->signal, "SEGV");
  EXPECT_EQ(crash->frames.size(), static_cast<std::size_t>(kCrashFrames));
  EXPECT_EQ(crash->module, std::string(48, '?'));
  EXPECT_EQ(crash->frames[0], "0x10 " + std::string(48, '?') + "+0x10");
}

TEST(CrashText, IsNoneWithoutAReport) {
  CrashReport report;
  EXPECT_FALSE(describe_crash(report));
  report.signal = 4711;
  EXPECT_FALSE(describe_crash(report));
}

}  // namespace
}  // namespace drover

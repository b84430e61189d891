#include "common/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace drover {
namespace {

// A log whose lines the test can read.
class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
  }
  Log log_with(Log::Style style, LogLevel level) { return {std::move(writer_), style, level}; }
  std::string written() {
    char buffer[4096];
    const ssize_t count = read(reader_.get(), buffer, sizeof buffer);
    return {buffer, static_cast<size_t>(std::max<ssize_t>(0, count))};
  }

  UniqueFd reader_;
  UniqueFd writer_;
};

TEST_F(LogTest, WritesTimeLevelRoleAndMessage) {
  Log log = log_with(Log::Style::kPlain, LogLevel::kInfo);
  log.set_role("worker 3 gen 7");
  log.warning("hung: pid={}", 12);
  const std::string line = written();
  EXPECT_EQ(line.find('T'), 10U) << line;
  EXPECT_EQ(line[23], 'Z') << line;
  EXPECT_NE(line.find(" warning worker 3 gen 7["), std::string::npos) << line;
  EXPECT_NE(line.find("]: hung: pid=12\n"), std::string::npos) << line;
}

TEST_F(LogTest, WritesASeverityForTheJournal) {
  Log log = log_with(Log::Style::kJournal, LogLevel::kInfo);
  log.error("no");
  EXPECT_EQ(written().rfind("<3>master[", 0), 0U);
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  Log log = log_with(Log::Style::kPlain, LogLevel::kWarning);
  log.info("quiet");
  log.warning("loud");
  EXPECT_EQ(written().find("quiet"), std::string::npos);
}

TEST_F(LogTest, KeepsAMessageOnOneLine) {
  Log log = log_with(Log::Style::kPlain, LogLevel::kInfo);
  log.info("{}", "a\nb\x1b[31m");
  EXPECT_NE(written().find("a\\x0ab\\x1b[31m\n"), std::string::npos);
}

TEST(RateLimit, LetsABurstThroughAndCountsTheRest) {
  RateLimit limit(2, Millis{1'000});
  EXPECT_TRUE(limit.allow(Millis{0}));
  EXPECT_TRUE(limit.allow(Millis{1}));
  EXPECT_FALSE(limit.allow(Millis{2}));
  EXPECT_FALSE(limit.allow(Millis{999}));
  EXPECT_TRUE(limit.allow(Millis{1'000}));
  EXPECT_EQ(limit.suppressed(), 2);
}

}  // namespace
}  // namespace drover

// The way from one error log to the next, as seen in the files.
#include "master/error_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "master/log_files.h"

namespace drover {
namespace {

class ErrorLogTest : public ::testing::Test {
 protected:
  ~ErrorLogTest() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string file(const std::string& name) const { return dir_ + "/" + name; }
  [[nodiscard]] Settings logging_to(const std::string& name) const {
    Settings settings;
    settings.error_log = LogTarget{LogTarget::Kind::kFile, file(name), LogLevel::kInfo};
    return settings;
  }
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  [[nodiscard]] bool has(const std::string& name, const std::string& word) const {
    return text_of(name).find(word) != std::string::npos;
  }

  std::string dir_ = testing::TempDir() + "drover-error-log." + std::to_string(getpid());
  bool has_dir_ = std::filesystem::create_directory(dir_);
  Settings first_ = logging_to("first");
  ErrorLog error_log_{open_error_log(*first_.error_log).value(), first_, true};
};

TEST_F(ErrorLogTest, TheOneThatAGenerationNamesIsInForceFromItsBeginning) {
  ASSERT_TRUE(error_log_.take(logging_to("second")).ok());
  error_log_.log().error("word");

  EXPECT_TRUE(has("second", "word"));
  EXPECT_FALSE(has("first", "word"));
}

TEST_F(ErrorLogTest, TheFormerOneIsPutBackWhenTheGenerationFails) {
  ASSERT_TRUE(error_log_.take(logging_to("second")).ok());
  error_log_.put_back();
  error_log_.log().error("word");

  EXPECT_TRUE(has("first", "word"));
}

TEST_F(ErrorLogTest, OneThatWasKeptIsNotTakenBackByALaterFailure) {
  ASSERT_TRUE(error_log_.take(logging_to("second")).ok());
  error_log_.keep();
  ASSERT_TRUE(error_log_.take(logging_to("second")).ok());
  error_log_.put_back();
  error_log_.log().error("word");

  EXPECT_TRUE(has("second", "word"));
}

TEST_F(ErrorLogTest, OneThatCannotBeOpenedChangesNothing) {
  EXPECT_FALSE(error_log_.take(logging_to("nowhere/second")).ok());
  error_log_.log().error("word");

  EXPECT_TRUE(has("first", "word"));
}

TEST_F(ErrorLogTest, OpenedAgainItIsTheFileOfTheNameAndNotTheRenamedOne) {
  std::filesystem::rename(file("first"), file("first.1"));
  error_log_.use(error_log_.open_again().value());
  error_log_.log().error("word");

  EXPECT_TRUE(has("first", "word"));
  EXPECT_FALSE(has("first.1", "word"));
}

}  // namespace
}  // namespace drover

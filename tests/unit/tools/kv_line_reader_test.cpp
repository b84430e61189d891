#include "tools/kv/line_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>

#include "common/unique_fd.h"
#include "tests/support/failure.h"

namespace drover::kv {
namespace {

class LineReaderTest : public ::testing::Test {
 protected:
  LineReaderTest() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) test::fail_errno("pipe2");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
  }
  void write(std::string_view text) const {
    ASSERT_EQ(::write(write_end_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  std::string next() {
    const auto line = reader().next();
    return line ? std::string(*line) : "(none)";
  }
  LineReader& reader() {
    if (!reader_) reader_.emplace(read_end_.get(), cancel_.get());
    return *reader_;
  }
  UniqueFd read_end_;
  UniqueFd write_end_;
  UniqueFd cancel_{::eventfd(0, EFD_CLOEXEC)};
  std::optional<LineReader> reader_;
};

TEST_F(LineReaderTest, GivesLinesAsTheyComeTogether) {
  write("one\n\ntw");
  ASSERT_TRUE(reader().fill().ok());
  EXPECT_EQ(next(), "one");
  EXPECT_EQ(next(), "");
  EXPECT_EQ(next(), "(none)");
  EXPECT_FALSE(reader().is_ready());

  write("o\n");
  EXPECT_TRUE(reader().is_ready());
  ASSERT_TRUE(reader().fill().ok());
  EXPECT_EQ(next(), "two");
  EXPECT_FALSE(reader().is_at_end());
  EXPECT_EQ(reader().read_bytes(), 9);
}

TEST_F(LineReaderTest, GivesALastLineWithoutNewline) {
  write("one\ntwo");
  write_end_.reset();
  ASSERT_TRUE(reader().fill().ok());
  EXPECT_EQ(next(), "one");
  EXPECT_EQ(next(), "(none)");
  EXPECT_FALSE(reader().is_at_end());

  ASSERT_TRUE(reader().fill().ok());
  EXPECT_EQ(next(), "two");
  EXPECT_EQ(next(), "(none)");
  EXPECT_TRUE(reader().is_at_end());
}

TEST_F(LineReaderTest, IsInterruptedWhileItWaits) {
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(cancel_.get(), &one, sizeof one), 8);

  const Status status = reader().fill();

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "interrupted");
}

TEST_F(LineReaderTest, SaysWhyItCannotRead) {
  const UniqueFd folder(::open("/", O_RDONLY | O_CLOEXEC));
  LineReader of_folder(folder.get(), -1);

  const Status status = of_folder.fill();

  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message(), "read: Is a directory");
}

}  // namespace
}  // namespace drover::kv

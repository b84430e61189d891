// Helpers in the test kit, with the counter's writer: a worker and its helper, without a process.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "modules/sdk/testkit/testkit.hpp"
#include "tests/support/files.h"

namespace drover::testkit {
namespace {

using std::chrono::milliseconds;
using Names = std::vector<std::string>;

const ModuleTable& built(const char* name) {
  return load(std::string(DROVER_BUILD_DIR) + "/test-modules/" + name + ".so");
}

class CounterHelper : public testing::Test {
 protected:
  void add() {
    const drover_conn conn = worker_.accept();
    worker_.feed(conn, "add\n");
  }
  [[nodiscard]] std::string on_disk() const { return test::read_file(path_); }

  test::TempDir dir_;
  const std::string path_ = dir_.file("count");
  const Host::Zones zones_{{"counter", std::make_shared<Host::Zone>(4096)}};
  const Host::Settings settings_{{"file", {path_}}};
  Host worker_{built("counter"), settings_, zones_};
  std::unique_ptr<Host> helper_ =
      std::make_unique<Host>(built("counter"), Host::HelperName{"writer"}, settings_, zones_);
};

TEST_F(CounterHelper, IsAskedForWhenThereIsAFile) {
  EXPECT_EQ(Host::wanted_helpers(built("counter"), settings_), Names{"writer"});
  EXPECT_EQ(Host::wanted_helpers(built("counter")), Names{});
}

TEST_F(CounterHelper, WritesWhenItIsRung) {
  add();
  EXPECT_EQ(worker_.rung_helpers(), Names{"writer"});
  EXPECT_EQ(on_disk(), "");

  helper_->ring();

  EXPECT_EQ(on_disk(), "1\n");
}

TEST_F(CounterHelper, WritesByTheClockWhatNobodyRangFor) {
  add();
  helper_->pass(milliseconds(100));
  EXPECT_EQ(on_disk(), "1\n");
  add();

  helper_->pass(milliseconds(100));

  EXPECT_EQ(on_disk(), "2\n");
}

TEST_F(CounterHelper, WritesOnceMoreWhenItEnds) {
  add();

  helper_.reset();

  EXPECT_EQ(on_disk(), "1\n");
}

TEST_F(CounterHelper, LeavesItToTheHolderOfTheLease) {
  const Host::Settings elsewhere{{"file", {dir_.file("other")}}};
  Host other(built("counter"), Host::HelperName{"writer"}, elsewhere, zones_);
  helper_->ring();
  add();

  other.ring();
  EXPECT_FALSE(std::filesystem::exists(dir_.file("other")));
  helper_->ring();
  EXPECT_EQ(on_disk(), "1\n");

  other.pass(milliseconds(1'000));  // the lease's time is over
  EXPECT_EQ(test::read_file(dir_.file("other")), "1\n");
}

TEST_F(CounterHelper, RefusesAFolderThatItCannotWriteTo) {
  const Host::Settings nowhere{{"file", {"/nowhere/count"}}};

  try {
    Host helper(built("counter"), Host::HelperName{"writer"}, nowhere, zones_);
    FAIL() << "it started";
  } catch (const std::logic_error& error) {
    EXPECT_STREQ(error.what(), "cannot write to the folder of file");
  }
}

TEST_F(CounterHelper, LeavesNoOtherFileBehind) {
  std::ofstream(path_ + ".new.1") << "of one that was killed";
  add();

  helper_->ring();

  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()), {}), 1);
}

TEST(HelperInTheKit, GetsWhatDroverGivesIt) {
  const Host::Settings checks{{"mode", {"checks", 7}}};

  EXPECT_NO_THROW(Host(built("helping"), Host::HelperName{"job"}, checks));
  EXPECT_THROW(Host(built("echo_c"), Host::HelperName{"job"}), std::logic_error);
}

TEST(HelperInTheKit, IsRefusedTwice) {
  const Host::Settings twice{{"mode", {"twice", 5}}};

  EXPECT_THROW(static_cast<void>(Host::wanted_helpers(built("helping"), twice)), std::logic_error);
}

}  // namespace
}  // namespace drover::testkit

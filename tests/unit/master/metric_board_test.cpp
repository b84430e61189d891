// Counters of modules as whoever comes after their master reads them.
#include "master/metric_board.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "common/scoreboard.h"
#include "tests/support/forking.h"

namespace drover {
namespace {

class MetricBoardTest : public testing::Test {
 protected:
  MetricBoardTest() {
    layout_.generation = 3;
    layout_.add("web", "files",
                {{MetricKind::kGauge, "open", ""}, {MetricKind::kCounter, "sent", ""}});
    board_.lay_out(layout_);
  }
  [[nodiscard]] UniqueFd copy() const { return UniqueFd(dup(board_.fd())); }
  static std::uint64_t sent(const MetricBoard& board) {
    for (const CounterValue& each : board.counters().counters()) {
      if (each.server == "web" && each.module == "files" && each.name == "sent") return each.value;
    }
    return 0;
  }

  MetricLayout layout_;
  MetricBoard board_;
};

TEST_F(MetricBoardTest, ShowsAnotherWhatTheLivingAndTheDeadHaveCounted) {
  MetricSums retired;
  retired.add_counter({"web", "files", "sent", 100});
  board_.retire(retired);
  board_.take_row(0, layout_)[1] = 20;
  board_.take_row(7, layout_)[1] = 3;

  auto other = MetricBoard::map(copy());

  ASSERT_TRUE(other.ok()) << other.error().message();
  EXPECT_EQ(sent(other.value()), 123U);
  EXPECT_EQ(other->counters().counters().size(), 1U) << "gauges are not handed on";
}

TEST_F(MetricBoardTest, CountsARowThatIsGivenBackOnce) {
  MetricSums retired;
  const std::span<MetricCell> row = board_.take_row(0, layout_);
  row[1] = 20;
  retired.add_counters(layout_, row);

  board_.release_row(0, retired);

  EXPECT_EQ(sent(board_), 20U);
  EXPECT_EQ(board_.take_row(0, layout_)[1], 0U);
  EXPECT_EQ(sent(board_), 20U);
}

// The two stores of a release, and a death between them.
TEST_F(MetricBoardTest, CountsOnceWhoseMasterDiedWhileItGaveTheRowBack) {
  MetricSums retired;
  const std::span<MetricCell> row = board_.take_row(0, layout_);
  row[1] = 20;
  retired.add_counters(layout_, row);

  const pid_t child = test::in_child([&] {
    setenv("DROVER_PAUSE", "metrics.retired:1", 1);
    board_.release_row(0, retired);
  });
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  kill(child, SIGKILL);
  test::wait_for(child);

  EXPECT_EQ(sent(board_), 20U);
}

// The pauses leave room for whoever looks between two stores.
TEST_F(MetricBoardTest, NeverGoesBackwardWhileRowsAreGivenBack) {
  constexpr int kReads = 5'000;
  constexpr int kSeat = kMaxSeats - 1;  // the last that is read
  auto other = MetricBoard::map(copy());
  ASSERT_TRUE(other.ok());
  std::atomic<bool> is_over = false;
  std::uint64_t counted = 0;

  std::thread master([&] {
    MetricSums retired;
    while (!is_over) {
      const std::span<MetricCell> row = board_.take_row(kSeat, layout_);
      usleep(10);
      row[1] = 1;
      usleep(10);
      ++counted;
      retired.add_counters(layout_, row);
      board_.release_row(kSeat, retired);
    }
  });
  std::uint64_t highest = 0;
  int backward = 0;
  for (int read = 0; read < kReads; ++read) {
    const std::uint64_t now = sent(other.value());
    if (now < highest) ++backward;
    highest = std::max(highest, now);
  }
  is_over = true;
  master.join();

  EXPECT_EQ(backward, 0);
  EXPECT_EQ(sent(other.value()), counted);
}

TEST_F(MetricBoardTest, OfALayoutThatIsGoneAreLeftOut) {
  board_.take_row(0, layout_)[1] = 20;
  MetricLayout much_later = layout_;
  much_later.generation += kBoards;

  board_.lay_out(much_later);

  EXPECT_EQ(sent(board_), 0U);
}

// Anywhere behind the magic: sizes, records, generations, lives.
TEST_F(MetricBoardTest, OfGarbageIsNothingOrWrong) {
  std::mt19937_64 random(1);
  MetricSums retired;
  retired.add_counter({"web", "files", "sent", 100});
  board_.retire(retired);
  for (int seat = 0; seat < 40; ++seat) board_.take_row(seat, layout_)[1] = 20;
  const auto size = static_cast<std::uint64_t>(lseek(board_.fd(), 0, SEEK_END));
  for (int round = 0; round < 2'000; ++round) {
    const std::uint64_t reach = round % 2 == 0 ? size : 256;
    const std::uint64_t garbage = random() >> (random() % 64);
    const auto where = static_cast<off_t>(16 + random() % (reach - 24));
    ASSERT_EQ(pwrite(board_.fd(), &garbage, sizeof garbage, where), 8);
    static_cast<void>(board_.counters());
  }
}

TEST_F(MetricBoardTest, IsRefusedOfAnotherLayoutAndWhenItIsNone) {
  const auto why = [](UniqueFd fd) { return MetricBoard::map(std::move(fd)).error().message(); };
  EXPECT_EQ(why(UniqueFd()), "it is no sealed memory");
  EXPECT_EQ(why(UniqueFd(open("/dev/null", O_RDWR))), "it is no sealed memory");
  const std::uint64_t another = 999;
  ASSERT_EQ(pwrite(board_.fd(), &another, sizeof another, 8), 8);
  EXPECT_EQ(why(copy()), "the counters of modules have another layout");
}

}  // namespace
}  // namespace drover

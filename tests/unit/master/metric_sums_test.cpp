// What remains of what processes counted when they come and go.
#include "master/metric_sums.h"

#include <gtest/gtest.h>

#include <array>

namespace drover {
namespace {

class MetricSumsTest : public testing::Test {
 protected:
  MetricSumsTest() {
    layout_.add("web", "files",
                {{MetricKind::kCounter, "sent", ""}, {MetricKind::kGauge, "open", ""}});
    layout_.add("other", "files", {{MetricKind::kCounter, "sent", ""}});
  }
  using Row = std::array<MetricCell, 3>;
  static Row row_of(std::uint64_t sent, std::uint64_t open, std::uint64_t others) {
    return {sent, open, others};
  }
  std::string text(std::size_t server, std::size_t metric) const {
    return sums_.text(layout_.servers[server], layout_.servers[server].metrics[metric]);
  }
  MetricLayout layout_;
  MetricSums sums_;
};

TEST_F(MetricSumsTest, AddUpWhatTheLivingHave) {
  sums_.add(layout_, row_of(1, 2, 3));
  sums_.add(layout_, row_of(10, static_cast<std::uint64_t>(-5), 30));

  EXPECT_EQ(text(0, 0), "11");
  EXPECT_EQ(text(0, 1), "-3");
  EXPECT_EQ(text(1, 0), "33");
}

TEST_F(MetricSumsTest, KeepTheCountersOfTheDeadButNotTheirGauges) {
  sums_.add_counters(layout_, row_of(1, 2, 3));

  EXPECT_EQ(text(0, 0), "1");
  EXPECT_EQ(text(0, 1), "0");
}

TEST_F(MetricSumsTest, GoOnInAnotherLayoutWithWhatHasTheSameName) {
  sums_.add_counters(layout_, row_of(5, 0, 0));
  MetricLayout later;
  later.add("web", "files",
            {{MetricKind::kCounter, "new", ""}, {MetricKind::kCounter, "sent", ""}});

  const std::array<MetricCell, 2> row{0, 2};
  sums_.add(later, row);

  EXPECT_EQ(sums_.text(later.servers[0], later.servers[0].metrics[0]), "0");
  EXPECT_EQ(sums_.text(later.servers[0], later.servers[0].metrics[1]), "7");
}

TEST_F(MetricSumsTest, BeginAnewWhenTheModuleOrTheKindIsAnother) {
  sums_.add(layout_, row_of(5, 6, 0));
  const Metric sent{MetricKind::kCounter, "sent", ""};

  EXPECT_EQ(sums_.text({"web", "relay", {sent}, 0}, sent), "0");
  EXPECT_EQ(sums_.text(layout_.servers[0], {MetricKind::kGauge, "sent", ""}), "0");
}

TEST_F(MetricSumsTest, OfAWorkerGoneWildAreOnlyWrong) {
  sums_.add(layout_, row_of(~0ULL, 1ULL << 63, 0));
  sums_.add(layout_, row_of(1, 1ULL << 63, 0));

  EXPECT_EQ(text(0, 0), "0");
  EXPECT_EQ(text(0, 1), "0");
}

}  // namespace
}  // namespace drover

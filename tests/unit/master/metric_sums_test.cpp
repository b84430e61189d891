// What remains of what processes counted when they come and go.
#include "master/metric_sums.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

class MetricSumsTest : public testing::Test {
 protected:
  MetricSumsTest() {
    layout_.add("web", "files",
                {{MetricKind::kCounter, "sent", ""}, {MetricKind::kGauge, "open", ""}});
    layout_.add("other", "files", {{MetricKind::kCounter, "sent", ""}});
  }
  static std::unique_ptr<MetricRow> row_of(std::uint64_t sent, std::uint64_t open,
                                           std::uint64_t others) {
    auto row = MetricRow::make(3).value();
    row->cells()[0] = sent;
    row->cells()[1] = open;
    row->cells()[2] = others;
    return row;
  }
  std::string text(std::size_t server, std::size_t metric) const {
    return sums_.text(layout_.servers[server], layout_.servers[server].metrics[metric]);
  }
  MetricLayout layout_;
  MetricSums sums_;
};

TEST_F(MetricSumsTest, AddUpWhatTheLivingHave) {
  sums_.add(layout_, row_of(1, 2, 3)->cells());
  sums_.add(layout_, row_of(10, static_cast<std::uint64_t>(-5), 30)->cells());

  EXPECT_EQ(text(0, 0), "11");
  EXPECT_EQ(text(0, 1), "-3");
  EXPECT_EQ(text(1, 0), "33");
}

TEST_F(MetricSumsTest, KeepTheCountersOfTheDeadButNotTheirGauges) {
  sums_.add_counters(layout_, row_of(1, 2, 3)->cells());

  EXPECT_EQ(text(0, 0), "1");
  EXPECT_EQ(text(0, 1), "0");
}

TEST_F(MetricSumsTest, GoOnInAnotherLayoutWithWhatHasTheSameName) {
  sums_.add_counters(layout_, row_of(5, 0, 0)->cells());
  MetricLayout later;
  later.add("web", "files",
            {{MetricKind::kCounter, "new", ""}, {MetricKind::kCounter, "sent", ""}});

  const auto row = MetricRow::make(2).value();
  row->cells()[1] = 2;
  sums_.add(later, row->cells());

  EXPECT_EQ(sums_.text(later.servers[0], later.servers[0].metrics[0]), "0");
  EXPECT_EQ(sums_.text(later.servers[0], later.servers[0].metrics[1]), "7");
}

TEST_F(MetricSumsTest, BeginAnewWhenTheModuleOrTheKindIsAnother) {
  sums_.add(layout_, row_of(5, 6, 0)->cells());
  const Metric sent{MetricKind::kCounter, "sent", ""};

  EXPECT_EQ(sums_.text({"web", "relay", {sent}, 0}, sent), "0");
  EXPECT_EQ(sums_.text(layout_.servers[0], {MetricKind::kGauge, "sent", ""}), "0");
}

TEST_F(MetricSumsTest, OfAWorkerGoneWildAreOnlyWrong) {
  sums_.add(layout_, row_of(~0ULL, 1ULL << 63, 0)->cells());
  sums_.add(layout_, row_of(1, 1ULL << 63, 0)->cells());

  EXPECT_EQ(text(0, 0), "0");
  EXPECT_EQ(text(0, 1), "0");
}

}  // namespace
}  // namespace drover

// A module's table of metrics, and what becomes of what it counts.
#include "worker/module_metrics.h"

#include "tests/unit/worker/harness.h"

namespace drover {
namespace {

using Row = struct ::drover_metric;

Row row(const char* name, drover_metric_kind kind = DROVER_COUNTER) {
  return {sizeof(Row), name, kind, "help"};
}

Result<Metrics> read(const std::vector<Row>& rows) {
  ModuleTable module{};
  module.metrics = rows.data();
  module.metric_count = rows.size();
  return read_metric_table(module);
}

std::string refusal(const std::vector<Row>& rows) {
  const auto table = read(rows);
  return table.ok() ? "" : table.error().message();
}

TEST(MetricTable, IsReadAsItStands) {
  const auto table = read({row("lines"), row("open", DROVER_GAUGE)});

  ASSERT_TRUE(table.ok()) << table.error().message();
  const Metrics expected{{MetricKind::kCounter, "lines", "help"},
                         {MetricKind::kGauge, "open", "help"}};
  EXPECT_EQ(table.value(), expected);
}

TEST(MetricTable, NeedsNoHelp) {
  Row silent = row("lines");
  silent.help = nullptr;

  EXPECT_EQ(read({silent}).value()[0].help, "");
}

TEST(MetricTable, ThatCannotBeIsRefusedWithTheReason) {
  Row strange = row("b");
  const unsigned kind = 7;
  std::memcpy(&strange.kind, &kind, sizeof kind);
  Row shorter = row("b");
  shorter.size = 8;

  EXPECT_EQ(refusal({row("a"), strange}), "metric 2: has the unknown kind 7");
  EXPECT_EQ(refusal({row(nullptr)}),
            "metric 1: its name is missing, longer than 47 or not a-z, 0-9 and _");
  EXPECT_EQ(refusal({row("a"), shorter}), "metric 2: says it has 8 bytes, the first has 32");
  EXPECT_EQ(refusal({shorter}), "its metrics say they have 8 bytes, expected 32");
  EXPECT_EQ(refusal(std::vector<Row>(33, row("a"))), "says it has 33 metrics, at most 32");
}

TEST(MetricTable, ThatIsNotThereIsRefusedWhenRowsArePromised) {
  ModuleTable module{};
  module.metric_count = 1;

  const auto table = read_metric_table(module);

  ASSERT_FALSE(table.ok());
  EXPECT_EQ(table.error().message(), "says it has 1 metrics, and names none");
}

class CountingTest : public ConnectionTest {
 protected:
  CountingTest() {
    make_server();
    server_->metrics = ServerMetrics(kTable, row_);
  }
  std::uint64_t cell(std::size_t index) const { return row_[index].load(); }

  const Metrics kTable{{MetricKind::kCounter, "lines", ""}, {MetricKind::kGauge, "open", ""}};
  std::array<MetricCell, 2> row_{};
  const drover_host& host_ = module_host();
};

TEST_F(CountingTest, AddsToACounterAndSetsAGauge) {
  host_.count(&server_->context, 0, 2);
  host_.count(&server_->context, 0, 3);
  host_.gauge(&server_->context, 1, 7);
  host_.gauge(&server_->context, 1, -1);

  EXPECT_EQ(cell(0), 5U);
  EXPECT_EQ(static_cast<std::int64_t>(cell(1)), -1);
}

TEST_F(CountingTest, SaysOnceThatTheTableHasNoSuchMetricAndGoesOn) {
  host_.count(&server_->context, 2, 1);
  EXPECT_EQ(server_->last_message, "its table has no counter 2: not counted");

  host_.count(&server_->context, 1, 1);
  host_.gauge(&server_->context, 0, 1);
  host_.gauge(&server_->context, 4'000'000'000, 1);

  EXPECT_EQ(server_->last_message, "its table has no counter 2: not counted");
  EXPECT_EQ(cell(0) + cell(1), 0U);
}

TEST_F(CountingTest, CountsNothingWhereNobodyLooks) {
  server_->metrics = ServerMetrics(kTable, {});

  host_.count(&server_->context, 0, 1);
  host_.gauge(&server_->context, 1, 1);

  EXPECT_EQ(server_->last_message, "");
}

}  // namespace
}  // namespace drover

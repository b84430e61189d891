// What bench is told and what it prints; the load itself needs a server.
#include <gtest/gtest.h>

#include "tools/kv/bench_plan.h"
#include "tools/kv/latency_histogram.h"
#include "tools/kv/progress.h"

namespace drover::kv {
namespace {

TEST(LatencyHistogram, IsEmptyAtFirst) {
  const LatencyHistogram histogram;

  EXPECT_EQ(histogram.percentile(0.5), 0);
  EXPECT_EQ(histogram.highest(), 0);
}

TEST(LatencyHistogram, IsNeverBelowTheTruthAndAtMostThreePercentAbove) {
  for (std::uint64_t ns = 1; ns < (std::uint64_t{1} << 62); ns += 1 + ns / 7) {
    LatencyHistogram histogram;
    histogram.record(ns);
    histogram.record(~std::uint64_t{0} >> 1);
    EXPECT_GE(histogram.percentile(0.5), ns);
    EXPECT_LE(histogram.percentile(0.5), ns + ns / 31);
  }
}

TEST(LatencyHistogram, FindsPercentilesOfAThousand) {
  LatencyHistogram histogram;
  for (std::uint64_t i = 1; i <= 1000; ++i) histogram.record(i * 1000);

  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.5)), 500'000, 16'000);
  EXPECT_NEAR(static_cast<double>(histogram.percentile(0.99)), 990'000, 32'000);
  EXPECT_EQ(histogram.percentile(1), 1'000'000);
  EXPECT_EQ(histogram.highest(), 1'000'000);
  EXPECT_EQ(histogram.count(), 1000);
}

TEST(LatencyHistogram, HoldsTheLongestTimeThereIs) {
  LatencyHistogram histogram;
  histogram.record(~std::uint64_t{0});

  EXPECT_EQ(histogram.percentile(0.5), ~std::uint64_t{0});
}

BenchResult a_result() {
  BenchResult result;
  result.requests = 2'000;
  result.misses = 3;
  result.refused = 4;
  result.elapsed = std::chrono::milliseconds(500);
  for (int i = 0; i < 1'000; ++i) result.latency.record(32'000);
  result.latency.record(1'000'000);
  return result;
}

TEST(BenchReport, IsLinesOfNameAndValue) {
  EXPECT_EQ(bench_text(a_result()),
            "requests 2000\nmisses 3\nrefused 4\nseconds 0.500\nops_per_second 4000\n"
            "latency_us_p50 32.3\nlatency_us_p90 32.3\nlatency_us_p99 32.3\n"
            "latency_us_p999 32.3\nlatency_us_max 1000.0\n");
}

TEST(BenchReport, IsTheSameAsJson) {
  EXPECT_EQ(bench_json(a_result()),
            "{\"requests\":2000,\"misses\":3,\"refused\":4,\"seconds\":0.500,"
            "\"ops_per_second\":4000,\"latency_us_p50\":32.3,\"latency_us_p90\":32.3,"
            "\"latency_us_p99\":32.3,\"latency_us_p999\":32.3,\"latency_us_max\":1000.0}\n");
}

TEST(BenchMix, HasNothingOfWhatIsNotNamed) {
  const Mix mix = parse_mix("lpm=3").value();

  EXPECT_EQ(mix.get, 0);
  EXPECT_EQ(mix.set, 0);
  EXPECT_EQ(mix.lpm, 3);
}

TEST(ProgressLine, ShowsABarWhereTheSizeIsKnown) {
  using std::chrono::milliseconds;
  EXPECT_EQ(progress_line({30, 100, 1234, milliseconds(500)}),
            "[######--------------]  30%  1234 lines  2468/s");
  EXPECT_EQ(progress_line({120, 100, 5, milliseconds(0)}),
            "[####################] 100%  5 lines  0/s");
  EXPECT_EQ(progress_line({30, 0, 1234, milliseconds(1000)}), "1234 lines  1234/s");
}

TEST(ProgressLine, FitsOnALineOfATerminal) {
  const ProgressState most{~std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0},
                           std::chrono::milliseconds(1000)};

  EXPECT_LE(progress_line(most).size(), 79);
}

}  // namespace
}  // namespace drover::kv

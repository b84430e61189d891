// Which tables of metrics are accepted, and what the master makes of a validator's word for them.
#include "common/metrics.h"

#include <gtest/gtest.h>

namespace drover {
namespace {

Metric counter(std::string name, std::string help = "") {
  return {MetricKind::kCounter, std::move(name), std::move(help)};
}

struct BadMetrics {
  const char* name;
  Metrics metrics;
  const char* error;
};
class BadMetricsTest : public testing::TestWithParam<BadMetrics> {};

TEST_P(BadMetricsTest, AreRefusedWithTheReason) {
  const Status checked = check_metrics(GetParam().metrics);

  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().message(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadMetricsTest,
    testing::Values(
        BadMetrics{"too_many", Metrics(33, counter("a")), "says it has 33 metrics, at most 32"},
        BadMetrics{"nameless",
                   {counter("a"), counter("")},
                   "metric 2: its name is missing, longer than 47 or not a-z, 0-9 and _"},
        BadMetrics{"capital",
                   {counter("Lines")},
                   "metric 1: its name is missing, longer than 47 or not a-z, 0-9 and _"},
        BadMetrics{"long_name",
                   {counter(std::string(48, 'a'))},
                   "metric 1: its name is missing, longer than 47 or not a-z, 0-9 and _"},
        BadMetrics{"long_help",
                   {counter("a", std::string(161, 'h'))},
                   "metric a: its help is longer than 160 or not printable ASCII"},
        BadMetrics{"help_of_two_lines",
                   {counter("a", "one\ntwo")},
                   "metric a: its help is longer than 160 or not printable ASCII"},
        BadMetrics{
            "twice", {counter("a"), counter("b"), counter("a")}, "metric a: is there twice"}),
    [](const auto& row) { return row.param.name; });

TEST(MetricsMessage, OfTheLargestTableFitsAndIsReadBack) {
  Metrics metrics;
  for (char c = 0; c < 32; ++c) {
    const std::string name = std::string(46, 'n') + static_cast<char>('0' + c % 10);
    metrics.push_back({c % 2 == 0 ? MetricKind::kCounter : MetricKind::kGauge,
                       std::to_string(c) + name.substr(std::to_string(c).size()),
                       std::string(160, 'h')});
  }

  const std::string body = encode_metrics({std::string(63, 'm'), metrics});
  const auto read = decode_metrics(body);

  EXPECT_LE(body.size(), 8192U);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read.value().module, std::string(63, 'm'));
  EXPECT_EQ(read.value().metrics, metrics);
}

TEST(MetricsMessage, KeepsAHelpWithBlanksAndAnEmptyOne) {
  const Metrics metrics{counter("a", " two  words "), counter("b")};

  EXPECT_EQ(decode_metrics(encode_metrics({"m", metrics})).value().metrics, metrics);
}

class HostileMessageTest : public testing::TestWithParam<std::string> {};

TEST_P(HostileMessageTest, IsRefused) { EXPECT_FALSE(decode_metrics(GetParam()).ok()); }

INSTANTIATE_TEST_SUITE_P(Bodies, HostileMessageTest,
                         testing::Values("", "m", "m\nc a help", "m\nx a help\n", "m\nc\n",
                                         "m\nc a\n", "m\n\n", "m\nc A help\n",
                                         std::string("m\nc a \0\n", 7), "m\nc a h\ng a h\n",
                                         "m\nc a \xff\n"));

TEST(MetricLayout, LaysTheServersOutOneBehindTheOther) {
  MetricLayout layout;
  layout.add("one", "m", {counter("a"), counter("b")});
  layout.add("two", "n", {});
  layout.add("three", "m", {counter("a"), counter("b")});

  EXPECT_EQ(layout.cells, 4U);
  EXPECT_EQ(layout.servers[2].first, 2U);
}

}  // namespace
}  // namespace drover

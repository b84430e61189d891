#include "common/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drover {
namespace {

bool is_metric_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxMetricName && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_metric_help(std::string_view help) {
  return help.size() <= kMaxMetricHelp &&
         std::ranges::all_of(help, [](char c) { return c >= ' ' && c <= '~'; });
}

Status check_metric(const Metrics& metrics, std::size_t index) {
  const Metric& metric = metrics[index];
  if (!is_metric_name(metric.name)) {
    return Error(fmt::format("metric {}: its name is missing, longer than {} or not a-z, 0-9 and _",
                             index + 1, kMaxMetricName));
  }
  if (!is_metric_help(metric.help)) {
    return Error(fmt::format("metric {}: its help is longer than {} or not printable ASCII",
                             metric.name, kMaxMetricHelp));
  }
  const auto last = metrics.begin() + static_cast<std::ptrdiff_t>(index);
  if (std::ranges::find(metrics.begin(), last, metric.name, &Metric::name) != last)
    return Error(fmt::format("metric {}: is there twice", metric.name));
  return Done{};
}

// The next line, taken off the front of `text`; it must end with a newline.
Result<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return Error("a line without its end");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// "c sent_bytes help that may have blanks"
Result<Metric> decode_metric(std::string_view line) {
  if (line.size() < 2 || (line[0] != 'c' && line[0] != 'g') || line[1] != ' ')
    return Error("a metric of no kind");
  const MetricKind kind = line[0] == 'c' ? MetricKind::kCounter : MetricKind::kGauge;
  line.remove_prefix(2);
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return Error("a metric without its help");
  return Metric{kind, std::string(line.substr(0, blank)), std::string(line.substr(blank + 1))};
}

}  // namespace

const char* to_string(MetricKind kind) {
  return kind == MetricKind::kCounter ? "counter" : "gauge";
}

Status check_metrics(const Metrics& metrics) {
  if (metrics.size() > kMaxMetrics)
    return Error(fmt::format("says it has {} metrics, at most {}", metrics.size(), kMaxMetrics));
  for (std::size_t index = 0; index < metrics.size(); ++index)
    DROVER_TRY_DO(check_metric(metrics, index));
  return Done{};
}

std::string encode_metrics(const ModuleMetrics& report) {
  std::string body = report.module + "\n";
  for (const Metric& metric : report.metrics) {
    const char kind = metric.kind == MetricKind::kCounter ? 'c' : 'g';
    body += fmt::format("{} {} {}\n", kind, metric.name, metric.help);
  }
  return body;
}

Result<ModuleMetrics> decode_metrics(std::string_view body) {
  DROVER_TRY(const std::string_view module, take_line(body));
  ModuleMetrics report{std::string(module), {}};
  while (!body.empty()) {
    DROVER_TRY(const std::string_view line, take_line(body));
    DROVER_TRY(Metric metric, decode_metric(line));
    report.metrics.push_back(std::move(metric));
  }
  DROVER_TRY_DO(check_metrics(report.metrics));
  return report;
}

void MetricLayout::add(std::string server, std::string module, Metrics metrics) {
  const std::size_t first = std::exchange(cells, cells + metrics.size());
  servers.push_back({std::move(server), std::move(module), std::move(metrics), first});
}

}  // namespace drover

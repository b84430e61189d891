#include "tools/kv/bench_plan.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "common/directive_text.h"
#include "common/units.h"

namespace drover::kv {
namespace {

constexpr std::int64_t kLargestWeight = 1'000'000;

Error not_a_mix(std::string_view text) {
  return Error(quote(text) + " is not a mix; write for example get=80,set=15,lpm=5");
}

Status set_weight(Mix& mix, std::string_view part) {
  const std::size_t equals = part.find('=');
  if (equals == part.npos) return not_a_mix(part);
  const std::string_view name = part.substr(0, equals);
  DROVER_TRY(const std::int64_t weight, parse_number(part.substr(equals + 1)));
  std::int64_t* target = name == "get"   ? &mix.get
                         : name == "set" ? &mix.set
                         : name == "lpm" ? &mix.lpm
                                         : nullptr;
  if (target == nullptr || weight > kLargestWeight) return not_a_mix(part);
  *target = weight;
  return Done{};
}

using Lines = std::vector<std::pair<std::string_view, std::string>>;

std::string microseconds(std::uint64_t ns) {
  return fmt::format("{:.1f}", static_cast<double>(ns) / 1'000);
}

Lines lines_of(const BenchResult& result) {
  const double seconds = std::chrono::duration<double>(result.elapsed).count();
  const double rate = seconds > 0 ? static_cast<double>(result.requests) / seconds : 0;
  Lines lines{{"requests", std::to_string(result.requests)},
              {"misses", std::to_string(result.misses)},
              {"refused", std::to_string(result.refused)},
              {"seconds", fmt::format("{:.3f}", seconds)},
              {"ops_per_second", fmt::format("{:.0f}", rate)}};
  constexpr std::array<std::pair<std::string_view, double>, 4> kPercentiles{
      {{"latency_us_p50", 0.5},
       {"latency_us_p90", 0.9},
       {"latency_us_p99", 0.99},
       {"latency_us_p999", 0.999}}};
  for (const auto& [name, part] : kPercentiles)
    lines.emplace_back(name, microseconds(result.latency.percentile(part)));
  lines.emplace_back("latency_us_max", microseconds(result.latency.highest()));
  return lines;
}

}  // namespace

Result<Mix> parse_mix(std::string_view text) {
  Mix mix{0, 0, 0};
  const std::string_view whole = text;
  for (;;) {
    const std::size_t comma = text.find(',');
    DROVER_TRY_DO(set_weight(mix, text.substr(0, comma)));
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  if (mix.total() == 0) return not_a_mix(whole);
  return mix;
}

std::string bench_text(const BenchResult& result) {
  std::string text;
  for (const auto& [name, value] : lines_of(result)) text += fmt::format("{} {}\n", name, value);
  return text;
}

std::string bench_json(const BenchResult& result) {
  std::string text;
  for (const auto& [name, value] : lines_of(result))
    text += fmt::format("{}\"{}\":{}", text.empty() ? "{" : ",", name, value);
  return text + "}\n";
}

}  // namespace drover::kv

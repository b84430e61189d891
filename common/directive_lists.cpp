// The values of common/directive_values.h that have parts: keepalive, error_log and cpu_affinity.
#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <array>

#include "common/directive_text.h"
#include "common/directive_values.h"

namespace drover {
namespace {

constexpr NumberRange kKeepaliveSeconds{.min = 1, .max = 32'767};  // the kernel's MAX_TCP_KEEPIDLE
constexpr NumberRange kKeepaliveCount{.min = 1, .max = 127};       // MAX_TCP_KEEPCNT
constexpr NumberRange kCpu{.min = 0, .max = CPU_SETSIZE - 1};

struct LevelName {
  const char* name;
  LogLevel level;
};
constexpr std::array<LevelName, 5> kLevels = {{{"error", LogLevel::kError},
                                               {"warning", LogLevel::kWarning},
                                               {"notice", LogLevel::kNotice},
                                               {"info", LogLevel::kInfo},
                                               {"debug", LogLevel::kDebug}}};

const LevelName* find_level(std::string_view name) {
  const auto* found = std::find_if(kLevels.begin(), kLevels.end(),
                                   [name](const LevelName& row) { return row.name == name; });
  return found == kLevels.end() ? nullptr : found;
}

std::vector<std::string> split_at(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Error not_keepalive(std::string_view text, const std::string& why) {
  return Error(
      fmt::format("{}: {}; write on, off or idle:interval:count, such as keepalive=30m:75s:9",
                  quote(text), why));
}

// A part of keepalive: nothing is 0, the kernel's default.
Result<int> parse_seconds(const std::string& text) {
  if (text.empty()) return 0;
  DROVER_TRY(const Millis duration, parse_duration(text));
  const Millis longest = std::chrono::seconds(kKeepaliveSeconds.max);
  if (duration < std::chrono::seconds(1) || duration > longest || duration.count() % 1000 != 0) {
    return Error("a time is not whole seconds from 1s to " + format_duration(longest));
  }
  return static_cast<int>(duration.count() / 1000);
}

Result<int> parse_count(const std::string& text) {
  if (text.empty()) return 0;
  auto count = parse_number_in(text, kKeepaliveCount);
  if (!count) return Error("the count is not a number from " + describe(kKeepaliveCount));
  return static_cast<int>(*count);
}

Result<KeepaliveSettings> parse_keepalive_parts(std::string_view text) {
  const std::vector<std::string> parts = split_at(text, ':');
  if (parts.size() != 3 || text == "::") return Error("has not three parts");
  KeepaliveSettings keepalive{.enabled = true};
  DROVER_TRY(keepalive.idle_s, parse_seconds(parts[0]));
  DROVER_TRY(keepalive.interval_s, parse_seconds(parts[1]));
  DROVER_TRY(keepalive.count, parse_count(parts[2]));
  return keepalive;
}

// "3" or "0-3", appended to `cpus`.
Status add_cpus(const std::string& part, std::vector<int>& cpus) {
  const std::vector<std::string> ends = split_at(part, '-');
  auto first = parse_number_in(ends.front(), kCpu);
  auto last = parse_number_in(ends.back(), kCpu);
  if (ends.size() > 2 || !first || !last || *first > *last) {
    return Error(quote(part) + " is not a CPU; write off, auto, or numbers from " + describe(kCpu) +
                 " and ranges, such as 0-3,8");
  }
  for (std::int64_t cpu = *first; cpu <= *last; ++cpu) cpus.push_back(static_cast<int>(cpu));
  if (cpus.size() > CPU_SETSIZE) return Error("names too many CPUs; write each at most once");
  return Done{};
}

}  // namespace

Result<KeepaliveSettings> parse_keepalive(std::string_view text) {
  if (text == "on") return KeepaliveSettings{.enabled = true};
  if (text == "off") return KeepaliveSettings{};
  auto keepalive = parse_keepalive_parts(text);
  if (!keepalive) return not_keepalive(text, keepalive.error().message());
  return keepalive;
}

std::string print_keepalive(const KeepaliveSettings& keepalive) {
  const auto seconds = [](int value) { return value == 0 ? "" : std::to_string(value) + "s"; };
  if (!keepalive.enabled) return "off";
  const std::string parts =
      fmt::format("{}:{}:{}", seconds(keepalive.idle_s), seconds(keepalive.interval_s),
                  keepalive.count == 0 ? "" : std::to_string(keepalive.count));
  return parts == "::" ? "on" : parts;
}

Result<LogTarget> parse_log_target(std::string_view text, const std::string& prefix) {
  LogTarget target;
  std::string where(text);
  const std::size_t last_blank = text.find_last_of(" \t");
  if (last_blank != std::string_view::npos) {
    const LevelName* row = find_level(text.substr(last_blank + 1));
    if (row == nullptr) {
      return Error(quote(text.substr(last_blank + 1)) +
                   " is not a log level; write error, warning, notice, info or debug");
    }
    target.level = row->level;
    where = where.substr(0, where.find_last_not_of(" \t", last_blank) + 1);
  }
  if (where == "stderr") return target;
  if (where == "syslog") {
    target.kind = LogTarget::Kind::kSyslog;
    return target;
  }
  if (find_level(where) != nullptr) {
    return Error(quote(text) + " names no file; write stderr, syslog or a path before the level");
  }
  target.kind = LogTarget::Kind::kFile;
  DROVER_TRY(target.path, parse_path(where, prefix));
  return target;
}

std::string print_log_target(const LogTarget& target) {
  std::string where = target.path;
  if (target.kind == LogTarget::Kind::kStderr) where = "stderr";
  if (target.kind == LogTarget::Kind::kSyslog) where = "syslog";
  const auto* row = std::find_if(kLevels.begin(), kLevels.end(), [&target](const LevelName& level) {
    return level.level == target.level;
  });
  return where + " " + row->name;
}

Result<CpuAffinity> parse_cpu_affinity(std::string_view text) {
  CpuAffinity affinity;
  if (text == "off") return affinity;
  affinity.kind = CpuAffinity::Kind::kAuto;
  if (text == "auto") return affinity;
  affinity.kind = CpuAffinity::Kind::kList;
  for (const std::string& part : split_at(text, ',')) {
    DROVER_TRY_DO(add_cpus(part, affinity.cpus));
  }
  return affinity;
}

std::string print_cpu_affinity(const CpuAffinity& affinity) {
  if (affinity.kind == CpuAffinity::Kind::kOff) return "off";
  if (affinity.kind == CpuAffinity::Kind::kAuto) return "auto";
  std::string text;
  for (std::size_t i = 0; i < affinity.cpus.size();) {
    std::size_t end = i + 1;  // of a run of successive numbers
    while (end < affinity.cpus.size() && affinity.cpus[end] == affinity.cpus[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", affinity.cpus[i]);
    if (end > i + 1) text += fmt::format("-{}", affinity.cpus[end - 1]);
    i = end;
  }
  return text;
}

}  // namespace drover

// Reads the two environment variables once per process image; counters are per process and are
// copied by fork, so that "each worker fails twice" and "the master fails twice" are both one
// setting.
#include "common/fault.h"

#include <csignal>
#include <cstdlib>
#include <map>
#include <string>

namespace drover {
namespace {

constexpr int kAlways = -1;

struct Rule {
  int left = kAlways;
  std::string mode;
};
using Rules = std::map<std::string, Rule, std::less<>>;

Rule parse_rule(std::string_view value) {
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  if (is_number) return {std::atoi(std::string(value).c_str()), {}};
  return {kAlways, std::string(value)};
}

Rules parse_rules(const char* text) {
  Rules rules;
  std::string_view rest = text == nullptr ? "" : text;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const size_t colon = item.find(':');
    const std::string_view value = colon == std::string_view::npos ? "" : item.substr(colon + 1);
    rules[std::string(item.substr(0, colon))] = parse_rule(value);
  }
  return rules;
}

Rules& faults() {
  static Rules rules = parse_rules(std::getenv("DROVER_FAULT"));
  return rules;
}

Rules& pauses() {
  static Rules rules = parse_rules(std::getenv("DROVER_PAUSE"));
  return rules;
}

}  // namespace

bool fault(std::string_view point) noexcept {
  const auto rule = faults().find(point);
  if (rule == faults().end() || rule->second.left == 0) return false;
  if (rule->second.left > 0) --rule->second.left;
  return true;
}

std::string_view fault_mode(std::string_view point) noexcept {
  const auto rule = faults().find(point);
  return rule == faults().end() ? std::string_view{} : std::string_view{rule->second.mode};
}

void pause_point(std::string_view point) noexcept {
  const auto rule = pauses().find(point);
  if (rule == pauses().end()) return;
  if (rule->second.left == kAlways || --rule->second.left == 0) std::raise(SIGSTOP);
}

}  // namespace drover

// Reads the two environment variables once per process image; counters are per process and are
// copied by fork, so that "each worker fails twice" and "the master fails twice" are both one
// setting. A file of rules is looked at whenever a point is passed: slow, and only in test builds.
#include "common/fault.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace drover {
namespace {

constexpr int kAlways = -1;

struct Rule {
  int passes = 0;  // before the first failure
  int left = kAlways;
  std::string mode;
};
using Rules = std::map<std::string, Rule, std::less<>>;

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Rule parse_rule(std::string_view value) {
  const size_t plus = value.find('+');
  if (plus != std::string_view::npos && is_number(value.substr(0, plus))) {
    Rule rule = parse_rule(value.substr(plus + 1));
    rule.passes = std::atoi(std::string(value).c_str());
    return rule;
  }
  if (is_number(value)) return {0, std::atoi(std::string(value).c_str()), {}};
  return {0, kAlways, std::string(value)};
}

Rules parse_rules(std::string_view rest) {
  Rules rules;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const size_t colon = item.find(':');
    const std::string_view value = colon == std::string_view::npos ? "" : item.substr(colon + 1);
    rules[std::string(item.substr(0, colon))] = parse_rule(value);
  }
  return rules;
}

// The rules of one environment variable.
class RuleBook {
 public:
  explicit RuleBook(const char* variable) {
    const char* value = std::getenv(variable);
    const std::string_view text = value == nullptr ? "" : value;
    if (text.starts_with('@')) {
      path_ = text.substr(1);
    } else {
      rules_ = parse_rules(text);
    }
  }

  Rules& rules() {
    if (!path_.empty()) read_again();
    return rules_;
  }

 private:
  // A file that cannot be read changes nothing: the point may be there because descriptors ran out.
  void read_again() {
    std::ifstream file(path_);
    if (!file) return;
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text == text_) return;
    text_ = text;
    rules_ = parse_rules(text_);
  }

  std::string path_;
  std::string text_;
  Rules rules_;
};

Rules& faults() {
  static RuleBook book("DROVER_FAULT");
  return book.rules();
}

Rules& pauses() {
  static RuleBook book("DROVER_PAUSE");
  return book.rules();
}

}  // namespace

bool fault(std::string_view point) noexcept {
  Rules& rules = faults();
  const auto rule = rules.find(point);
  if (rule == rules.end() || rule->second.left == 0) return false;
  if (rule->second.passes > 0) return --rule->second.passes, false;
  if (rule->second.left > 0) --rule->second.left;
  return true;
}

std::string_view fault_mode(std::string_view point) noexcept {
  const Rules& rules = faults();
  const auto rule = rules.find(point);
  return rule == rules.end() ? std::string_view{} : std::string_view{rule->second.mode};
}

void pause_point(std::string_view point) noexcept {
  Rules& rules = pauses();
  const auto rule = rules.find(point);
  if (rule == rules.end()) return;
  int& left = rule->second.left;
  if (left == 0) return;  // it has stopped here
  if (left == kAlways || --left == 0) std::raise(SIGSTOP);
}

}  // namespace drover

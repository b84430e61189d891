#include "tests/support/load_stats.h"

#include <sstream>

namespace drover::test {

const char* to_string(LoadError error) {
  switch (error) {
    case LoadError::kRefused:
      return "refused";
    case LoadError::kReset:
      return "reset";
    case LoadError::kTimeout:
      return "timeout";
    case LoadError::kWrongBytes:
      return "wrong bytes";
    case LoadError::kShortEof:
      return "short";
  }
  return "?";
}

std::string LoadStats::to_string() const {
  std::ostringstream out;
  out << "connected=" << connected << " completed=" << completed << " messages=" << messages
      << " bytes=" << bytes << " refused=" << refused << " reset=" << reset
      << " timeouts=" << timeouts << " wrong=" << wrong_bytes << " short=" << short_eof
      << " max_first_byte=" << max_first_byte.count() << "ms max_answer=" << max_answer.count()
      << "ms";
  return out.str();
}

std::string LoadFailure::to_string() const {
  std::ostringstream out;
  out << drover::test::to_string(error) << " client=" << client << " target=" << target
      << (pinging ? " pinging" : "") << (answered ? " answered" : " unanswered")
      << " age=" << age.count() << "ms";
  return out.str();
}

}  // namespace drover::test

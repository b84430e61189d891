// What is wrong with a configuration, collected: every problem is told, not only the first.
#pragma once

#include <string>
#include <vector>

#include "common/settings.h"

namespace drover {

struct ConfigMessages {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;

  // "file:line: [section] directive: problem"; section and directive may be empty.
  void error(const Source& source, const std::string& section, const std::string& directive,
             const std::string& problem) {
    errors.push_back(line(source, section, directive, problem));
  }
  void warning(const Source& source, const std::string& section, const std::string& directive,
               const std::string& problem) {
    warnings.push_back(line(source, section, directive, problem));
  }

  static std::string line(const Source& source, const std::string& section,
                          const std::string& directive, const std::string& problem) {
    std::string text = source.to_string() + ":";
    if (!section.empty()) text += " [" + section + "]";
    if (!directive.empty()) text += " " + directive + ":";
    return text + (directive.empty() && !section.empty() ? ": " : " ") + problem;
  }
};

}  // namespace drover

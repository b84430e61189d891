// Reads one configuration file's text into lines, with inih doing the syntax and a reader of ours
// around it that closes its traps: it counts lines, strips indentation (inih would continue the
// line before), sees every section header, refuses over-long lines (inih splits them), over-long
// section names (it cuts them, two servers would merge), NUL (ends a line for it) and text after a
// header (it drops it), and reports each line from which inih made nothing.
//
// The syntax: "[section]", "name = value". A line that begins with ; or # is a comment, and so is
// the rest of a line from a ; that follows a blank. # in a value is not special. There are no
// quotes and no continued lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/settings.h"

namespace drover {

inline constexpr std::size_t kLongestConfigLine =
    199;  // bytes without indentation; comments may be longer
inline constexpr std::size_t kLongestSectionName = 49;
inline constexpr std::size_t kLargestConfigFile = 1 << 20;

// A section header or a directive.
struct ConfigLine {
  enum class Kind { kSection, kDirective };
  Kind kind = Kind::kDirective;
  std::string
      section;  // "drover", "server web"; blanks inside are single. Empty: before any header
  bool section_is_broken =
      false;        // the header above was refused, `section` is what could be read of it
  std::string key;  // of a directive
  std::string value;
  Source source;
};

struct ConfigText {
  std::vector<ConfigLine> lines;
  std::vector<std::string> errors;  // "file:line: what is wrong; what would be right"
};

// `file` is its name in messages. Never fails: what could be read stands beside the errors.
[[nodiscard]] ConfigText parse_config_text(std::string_view text, const std::string& file);

// The whole content of a regular file of at most kLargestConfigFile bytes. The error names the
// file.
[[nodiscard]] Result<std::string> read_config_file(const std::string& path);

}  // namespace drover

// The configuration: files and -g in, Settings or a list of everything that is wrong out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/settings.h"

namespace drover {

// From -g "section.key=value". The section is "drover", "server NAME", "zone NAME" or a server's
// NAME. It replaces what the files say; several for a directive that repeats add up.
struct Override {
  std::string section;
  std::string key;
  std::string value;
};
[[nodiscard]] Result<Override> parse_override(std::string_view text);

struct ConfigRequest {
  std::string path;    // the file; relative: under the prefix
  std::string prefix;  // of relative paths, also those in the files; empty: the current directory
  std::vector<Override> overrides;
};

struct ConfigResult {
  Settings settings;  // complete only when ok()
  // Full lines: "file:line: [section] directive: what is wrong; what would be right".
  std::vector<std::string> errors;
  std::vector<std::string> warnings;

  [[nodiscard]] bool ok() const { return errors.empty(); }
};
[[nodiscard]] ConfigResult load_config(const ConfigRequest& request);

// For `-s`: what can be read of `pid` and `control`, empty for what cannot. Never fails, however
// broken the file is.
struct ControlPaths {
  std::string pid;
  std::string control;
};
[[nodiscard]] ControlPaths scan_control_paths(const ConfigRequest& request);

// For -T: the effective configuration, which load_config reads back to the same settings (unless a
// path under the prefix is longer than a line may be).
[[nodiscard]] std::string dump_settings(const Settings& settings);

// For --directives: a line per directive: section, name, type, range, default, help, with tabs
// between. The options of `listen` have the section "listen". An empty range is shown as "any", an
// empty default as "-".
[[nodiscard]] std::string list_directives();

// One of these lines.
struct DirectiveLine {
  std::string section;
  std::string name;
  std::string type;
  std::string range;
  std::string default_value;
  std::string help;
};
[[nodiscard]] std::string format_directive(const DirectiveLine& line);

}  // namespace drover

// The command line.
#pragma once

#include <string>
#include <vector>

#include "common/config.h"
#include "common/result.h"

namespace drover {

struct Options {
  enum class Action {
    kRun,
    kTest,
    kDump,
    kCommand,
    kListModules,
    kListDirectives,
    kVersion,
    kHelp
  };

  Action action = Action::kRun;
  ConfigRequest config;
  std::string error_log;  // -e: overrides the configuration's
  std::string command;    // -s
  bool is_json = false;
  bool is_plan = false;
  bool is_quiet = false;
  bool is_verbose = false;  // -V
  bool is_foreground = false;
};

// An error is for the terminal, exit status 2.
Result<Options> parse_options(int argc, char** argv);
[[nodiscard]] std::string usage();
[[nodiscard]] std::string version_text(bool is_verbose);

}  // namespace drover

// Runs a program to its end and keeps what it said.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/wait.h"

namespace drover::test {

struct CommandResult {
  int status = -1;  // exit status, 128 + signal, or -1: did not end in time and was killed
  std::string output;
  std::string errors;

  [[nodiscard]] std::string both() const { return output + errors; }
};

using Environment = std::map<std::string, std::string>;

// argv[0] is looked up in PATH; `extra` is added to this process's environment.
[[nodiscard]] CommandResult run_command(const std::vector<std::string>& argv,
                                        const Environment& extra = {},
                                        Millis patience = Millis{30'000});

// In a forked child: replaces the process by the program, or exits with 127.
[[noreturn]] void exec_program(const std::vector<std::string>& argv, const Environment& extra);

}  // namespace drover::test

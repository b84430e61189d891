// The commands of drover-kv: a row each.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "common/result.h"
#include "tools/kv/options.h"

namespace drover::kv {

enum Exit : int {
  kDone = 0,
  kNotThere = 1,  // not found, not stored; of load: a line was not stored
  kWrongUse = 2,  // the command line, or a file it names
  kFailed = 3,    // the connection, or the server
};

struct Command {
  std::string_view name;
  std::string_view arguments;
  std::string_view help;
  std::size_t least = 0;  // arguments
  std::size_t most = 0;
  Result<Exit> (*run)(const Options& options);  // an error is kFailed
};

[[nodiscard]] std::span<const Command> commands();
// Null: there is none of that name.
[[nodiscard]] const Command* find_command(std::string_view name);

}  // namespace drover::kv

// The command line of drover-kv.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "tools/kv/bench_plan.h"

namespace drover::kv {

struct Command;  // commands.h

struct Options {
  enum class Action { kRun, kVersion, kHelp };

  Action action = Action::kRun;
  Address server;                            // -s
  std::string auth_file;                     // -a
  std::chrono::milliseconds timeout{5'000};  // -t
  std::string token;                         // what they say; read by main
  const Command* command = nullptr;
  std::vector<std::string> arguments;
  bool is_quiet = false;  // of load
  bool is_json = false;   // of bench
  bool is_count = false;  // of scan
  BenchPlan bench;
};

inline constexpr std::string_view kDefaultServer = "127.0.0.1:7010";
inline constexpr const char* kTokenVariable = "DROVER_KV_TOKEN";

// What follows the program's name. An error is for the terminal, exit status 2.
[[nodiscard]] Result<Options> parse_options(const std::vector<std::string>& words);
[[nodiscard]] std::string usage();

}  // namespace drover::kv

// drover-kv: a KV1 server from the command line.
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tools/kv/commands.h"
#include "tools/kv/session.h"

namespace drover::kv {
namespace {

// The first line of the file, else the variable; empty: none.
Result<std::string> read_token(const std::string& file) {
  const char* variable = std::getenv(kTokenVariable);
  if (file.empty()) return std::string(variable == nullptr ? "" : variable);
  std::ifstream stream(file);
  std::string token;
  if (!stream) return Error::from_errno(file);
  if (!std::getline(stream, token) || token.empty())
    return Error(file + ": its first line is empty; write the token there");
  if (token.back() == '\r') token.pop_back();
  return token;
}

int run(const Options& options) {
  Result<Exit> exit = options.command->run(options);
  if (exit.ok() && std::fflush(stdout) != 0) exit = Error::from_errno("standard output");
  if (exit.ok()) return exit.value();
  std::fflush(stdout);
  complain(options, exit.error().message());
  return kFailed;
}

int complain_of_use(const std::string& what) {
  fmt::print(stderr, "drover-kv: {}\n", what);
  return kWrongUse;
}

int act(Options options) {
  switch (options.action) {
    case Options::Action::kHelp:
      return fmt::print("{}", usage()), kDone;
    case Options::Action::kVersion:
      return fmt::print("drover-kv {}\n", DROVER_VERSION), kDone;
    case Options::Action::kRun:
      break;
  }
  Result<std::string> token = read_token(options.auth_file);
  if (!token) return complain_of_use(token.error().message());
  options.token = std::move(token).value();
  return run(options);
}

}  // namespace
}  // namespace drover::kv

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  drover::Result<drover::kv::Options> options = drover::kv::parse_options(words);
  if (!options) return drover::kv::complain_of_use(options.error().message());
  return drover::kv::act(std::move(options).value());
}

// The one place that sees both sides: parses the command line, hands the roles to the master, and
// does what needs no daemon by itself.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "common/process.h"
#include "master/config_test.h"
#include "master/configuration.h"
#include "master/control_client.h"
#include "master/log_files.h"
#include "master/master.h"
#include "master/module_list.h"
#include "worker/accept/acceptor_process.h"
#include "worker/helper.h"
#include "worker/module_image.h"
#include "worker/validator.h"
#include "worker/worker.h"

namespace drover {
namespace {

constexpr int kUsageError = 2;

int complain_of(const std::string& lines) {
  fmt::print(stderr, "{}", lines);
  return 1;
}
int complain(const std::string& message) { return complain_of("drover: " + message + "\n"); }

// Loads the configuration, or returns all that is wrong with it, a line each.
std::string load(const Options& options, Settings& settings) {
  ConfigResult config = load_settings(options);
  if (!options.is_quiet) {
    for (const std::string& warning : config.warnings)
      fmt::print(stderr, "drover: warning: {}\n", warning);
  }
  std::string errors;
  for (const std::string& error : config.errors) errors += error + "\n";
  if (!errors.empty())
    errors += fmt::format("drover: configuration {} is not valid\n", options.config.path);
  settings = std::move(config.settings);
  return errors;
}

// A daemon goes to working_directory, and must find its files again at reload.
void make_absolute(ConfigRequest& config) {
  const std::filesystem::path prefix =
      std::filesystem::absolute(config.prefix.empty() ? "." : config.prefix);
  config.path = (prefix / config.path).lexically_normal();
  config.prefix = prefix.lexically_normal();
}

Result<StartReport> begin_report(const Options& options, const LogTarget& log, int to_predecessor) {
  if (to_predecessor >= 0) return StartReport::to_predecessor(to_predecessor);
  if (!options.is_foreground) return StartReport::daemonize();
  return log.kind == LogTarget::Kind::kStderr ? StartReport() : StartReport::to_terminal();
}

// In an upgrade the master that is to be replaced is told, too.
int refuse(int to_predecessor, const std::string& lines) {
  if (to_predecessor >= 0) StartReport::to_predecessor(to_predecessor).fail(lines);
  return complain_of(lines);
}

int serve(Options options, const RoleMains& roles, Launch launch) {
  Result<UniqueFd> channel = take_heritage_channel();
  if (!channel) return complain(channel.error().message());
  const int to_predecessor = channel->get();
  std::vector<PassedFd> passed = take_passed_fds();
  Settings settings;
  if (const std::string errors = load(options, settings); !errors.empty())
    return refuse(to_predecessor, errors);
  make_absolute(options.config);
  const LogTarget target = error_log_target(settings, options.is_foreground);
  Result<Log> log = open_error_log(target);
  if (!log) return refuse(to_predecessor, "drover: " + log.error().message() + "\n");
  Result<StartReport> report = begin_report(options, target, to_predecessor);
  if (!report) return complain(report.error().message());
  Master master({std::move(options), roles, std::move(launch), std::move(settings),
                 std::move(log).value(), std::move(report).value(), std::move(channel).value(),
                 std::move(passed)});
  return master.run();
}

int run(Options options, Launch launch) {
  const RoleMains roles{worker_main, acceptor_main, validator_main, helper_main};
  Settings settings;
  switch (options.action) {
    case Options::Action::kHelp:
      return fmt::print("{}", usage()), 0;
    case Options::Action::kVersion:
      return fmt::print("{}", version_text(options.is_verbose)), 0;
    case Options::Action::kListDirectives:
      fmt::print("{}", list_directives());
      return list_modules(load_settings(options).settings.module_dir, describe_directives);
    case Options::Action::kCommand:
      return run_command(
          scan_control_paths(options.config),
          options.command + (options.is_plan ? " --plan" : "") + (options.is_json ? " --json" : ""),
          options.is_quiet);
    case Options::Action::kListModules:
      return list_modules(load_settings(options).settings.module_dir, describe_module);
    case Options::Action::kTest:
    case Options::Action::kDump:
      if (const std::string errors = load(options, settings); !errors.empty())
        return complain_of(errors);
      return test_config(options, settings, roles);
    case Options::Action::kRun:
      return serve(std::move(options), roles, std::move(launch));
  }
  return kUsageError;
}

}  // namespace
}  // namespace drover

int main(int argc, char** argv) {
  drover::Result<drover::Options> options = drover::parse_options(argc, argv);
  if (!options) {
    fmt::print(stderr, "drover: {}\n", options.error().message());
    return drover::kUsageError;
  }
  drover::Launch launch = drover::Launch::of_this_process(argc, argv);
  drover::init_process_title(argc, argv);
  return drover::run(std::move(options).value(), std::move(launch));
}

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

int complain(const std::string& message) {
  fmt::print(stderr, "drover: {}\n", message);
  return 1;
}

// Loads the configuration or says all that is wrong with it.
bool load(const Options& options, Settings& settings) {
  ConfigResult config = load_settings(options);
  if (!options.is_quiet) {
    for (const std::string& warning : config.warnings)
      fmt::print(stderr, "drover: warning: {}\n", warning);
  }
  for (const std::string& error : config.errors) fmt::print(stderr, "{}\n", error);
  settings = std::move(config.settings);
  return config.errors.empty();
}

// A daemon goes to working_directory, and must find its files again at reload.
void make_absolute(ConfigRequest& config) {
  const std::filesystem::path prefix =
      std::filesystem::absolute(config.prefix.empty() ? "." : config.prefix);
  config.path = (prefix / config.path).lexically_normal();
  config.prefix = prefix.lexically_normal();
}

int serve(Options options, const RoleMains& roles, Settings settings) {
  make_absolute(options.config);
  const LogTarget target = error_log_target(settings, options.is_foreground);
  Result<Log> log = open_error_log(target);
  if (!log) return complain(log.error().message());
  const bool log_is_terminal = target.kind == LogTarget::Kind::kStderr;
  StartReport report = log_is_terminal ? StartReport() : StartReport::to_terminal();
  if (!options.is_foreground) {
    Result<StartReport> daemon = StartReport::daemonize();
    if (!daemon) return complain(daemon.error().message());
    report = std::move(daemon).value();
  }
  Master master(std::move(options), roles, std::move(settings), std::move(log).value(),
                std::move(report));
  return master.run();
}

int run(Options options) {
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
      if (!load(options, settings))
        return complain(fmt::format("configuration {} is not valid", options.config.path));
      return test_config(options, settings, roles);
    case Options::Action::kRun:
      if (!load(options, settings))
        return complain(fmt::format("configuration {} is not valid", options.config.path));
      return serve(std::move(options), roles, std::move(settings));
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
  drover::init_process_title(argc, argv);
  return drover::run(std::move(options).value());
}

#include "master/options.h"

#include <event2/event.h>
#include <fmt/format.h>
#include <getopt.h>

#include <array>
#include <string_view>

namespace drover {
namespace {

constexpr const char* kDefaultConfig = "/etc/drover/drover.conf";
constexpr std::array<std::string_view, 6> kCommands{"stop",   "quit",    "reload",
                                                    "reopen", "upgrade", "status"};

enum LongOption { kDirectives = 256, kJson, kPlan };

Status set_command(Options& options, std::string_view command) {
  for (const std::string_view known : kCommands) {
    if (command != known) continue;
    options.action = Options::Action::kCommand;
    options.command = command;
    return Done{};
  }
  return Error(
      fmt::format("-s {}: unknown; one of stop, quit, reload, reopen, upgrade, status", command));
}

Status apply(Options& options, int option, const char* value) {
  switch (option) {
    case 'c':
      options.config.path = value;
      break;
    case 'p':
      options.config.prefix = value;
      break;
    case 'e':
      options.error_log = value;
      break;
    case 't':
      options.action = Options::Action::kTest;
      break;
    case 'T':
      options.action = Options::Action::kDump;
      break;
    case 'q':
      options.is_quiet = true;
      break;
    case 'm':
      options.action = Options::Action::kListModules;
      break;
    case 'F':
      options.is_foreground = true;
      break;
    case 'h':
      options.action = Options::Action::kHelp;
      break;
    case 'v':
      options.action = Options::Action::kVersion;
      break;
    case 'V':
      options.action = Options::Action::kVersion;
      options.is_verbose = true;
      break;
    case 's':
      return set_command(options, value);
    case 'g': {
      DROVER_TRY(Override one, parse_override(value));
      options.config.overrides.push_back(std::move(one));
      break;
    }
    case kDirectives:
      options.action = Options::Action::kListDirectives;
      break;
    case kJson:
      options.is_json = true;
      break;
    case kPlan:
      options.is_plan = true;
      break;
    default:
      return Error("see drover -h");
  }
  return Done{};
}

// Flags that belong to a command: with another they would be ignored, or do what was not meant.
Status check_flags(const Options& options) {
  const bool is_reload = options.command == "reload";
  if (options.is_plan && !is_reload) return Error("--plan: only with -s reload");
  if (options.is_json && !is_reload && options.command != "status")
    return Error("--json: only with -s status or -s reload");
  return Done{};
}

}  // namespace

Result<Options> parse_options(int argc, char** argv) {
  static const std::array<option, 7> kLong{{{"directives", no_argument, nullptr, kDirectives},
                                            {"json", no_argument, nullptr, kJson},
                                            {"plan", no_argument, nullptr, kPlan},
                                            {"help", no_argument, nullptr, 'h'},
                                            {"version", no_argument, nullptr, 'v'},
                                            {nullptr, 0, nullptr, 0}}};
  Options options;
  options.config.path = kDefaultConfig;
  int option = 0;
  while ((option = getopt_long(argc, argv, "c:p:tTqe:g:s:mvVFh", kLong.data(), nullptr)) != -1) {
    DROVER_TRY_DO(apply(options, option, optarg));
  }
  if (optind < argc)
    return Error(fmt::format("unexpected argument \"{}\"; see drover -h", argv[optind]));
  DROVER_TRY_DO(check_flags(options));
  return options;
}

std::string usage() {
  return "usage: drover [-c file] [-p prefix] [-t|-T] [-q] [-e file] [-g \"section.key=value\"] "
         "[-s CMD] [-m] [-v|-V] [-F]\n"
         "  -c file    configuration file (default /etc/drover/drover.conf)\n"
         "  -p prefix  relative paths are below this folder\n"
         "  -t         test the configuration and the modules it loads, then exit\n"
         "  -T         the same, and print the configuration in force\n"
         "  -q         print errors only\n"
         "  -e file    error log, whatever the configuration says (stderr: standard error)\n"
         "  -g s.k=v   set a directive from the command line; may repeat\n"
         "  -s CMD     stop (fast), quit (graceful), reload [--plan] [--json], reopen (logs),\n"
         "             upgrade (the binary), status [--json]\n"
         "  -m         list the modules of module_dir\n"
         "  -F         stay in the foreground\n"
         "  -h         this text (also --help)\n"
         "  -v, -V     version; with what it was built\n"
         "  --directives  list every directive with its default\n";
}

std::string version_text(bool is_verbose) {
  std::string text = fmt::format("drover {}\n", DROVER_VERSION);
  if (is_verbose) {
    text += fmt::format("libevent {}\ncompiler {}\n", event_get_version(), __VERSION__);
  }
  return text;
}

}  // namespace drover

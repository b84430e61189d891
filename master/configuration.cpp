#include "master/configuration.h"

#include <filesystem>
#include <system_error>

namespace drover {
namespace {

constexpr const char* kInstalledModules = "/usr/lib/drover/modules";

std::string default_module_dir() {
  std::error_code error;
  const std::filesystem::path beside =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "modules";
  return std::filesystem::is_directory(beside, error) ? beside.string() : kInstalledModules;
}

LogTarget target_from(const std::string& text, const std::string& prefix) {
  LogTarget target;
  target.kind = text == "stderr"   ? LogTarget::Kind::kStderr
                : text == "syslog" ? LogTarget::Kind::kSyslog
                                   : LogTarget::Kind::kFile;
  target.path = std::filesystem::path(prefix) / text;
  return target;
}

}  // namespace

ConfigResult load_settings(const Options& options) {
  ConfigResult config = load_config(options.config);
  Settings& settings = config.settings;
  if (settings.module_dir.empty()) settings.module_dir = default_module_dir();
  if (options.error_log.empty()) return config;
  const LogLevel level = settings.error_log ? settings.error_log->level : LogLevel::kInfo;
  settings.error_log = target_from(options.error_log, options.config.prefix);
  settings.error_log->level = level;
  return config;
}

}  // namespace drover

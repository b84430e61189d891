#include "common/config.h"

#include <algorithm>
#include <filesystem>

#include "common/config_builder.h"
#include "common/config_checks.h"
#include "common/config_tree.h"
#include "common/directive_text.h"
#include "common/directives.h"
#include "common/directives_listen.h"

namespace drover {
namespace {

constexpr std::size_t kMostErrors = 100;  // of a file that is no configuration at all

std::string absolute_prefix(const std::string& prefix) {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  return error ? prefix : resolve_path(prefix, here.string());
}

// As it is opened and named in messages: unchanged without a prefix.
std::string config_path(const ConfigRequest& request) {
  return request.prefix.empty() ? request.path : resolve_path(request.path, request.prefix);
}

ConfigText read_request(const ConfigRequest& request) {
  ConfigText text = read_config_tree(config_path(request), absolute_prefix(request.prefix));
  apply_overrides(request.overrides, text);
  return text;
}

bool has_server(const ConfigText& text) {
  return std::any_of(text.lines.begin(), text.lines.end(), [](const ConfigLine& line) {
    return line.kind == ConfigLine::Kind::kSection && line.section.starts_with("server");
  });
}

void limit_errors(std::vector<std::string>& errors) {
  if (errors.size() <= kMostErrors) return;
  const std::size_t more = errors.size() - kMostErrors;
  errors.resize(kMostErrors);
  errors.push_back("and " + std::to_string(more) + " more errors");
}

}  // namespace

ConfigResult load_config(const ConfigRequest& request) {
  const ConfigText text = read_request(request);
  ConfigMessages messages{text.errors, {}};
  const std::string prefix = absolute_prefix(request.prefix);
  ConfigBuilder builder(prefix, &messages);
  for (const ConfigLine& line : text.lines) builder.add(line);
  const FirstSources sources = builder.sources();
  ConfigResult result{std::move(builder).take(), {}, {}};
  result.settings.prefix = prefix;

  if (messages.errors.empty() && !has_server(text)) {
    messages.errors.push_back(config_path(request) +
                              ": nothing to serve; add a section [server NAME]");
  }
  check_settings(result.settings, sources, messages);
  limit_errors(messages.errors);
  result.errors = std::move(messages.errors);
  result.warnings = std::move(messages.warnings);
  return result;
}

// The same reader, with less asked of it: sections may be broken, directives may be unknown, values
// may be wrong.
ControlPaths scan_control_paths(const ConfigRequest& request) {
  Settings settings;
  ConfigMessages ignored;
  const std::string prefix = absolute_prefix(request.prefix);
  std::vector<std::string> seen;
  for (const ConfigLine& line : read_request(request).lines) {
    const bool is_ours = line.key == "pid" || line.key == "control";
    const bool is_drover =
        line.section_is_broken || line.section.empty() || line.section == "drover";
    if (!is_ours || !is_drover || std::count(seen.begin(), seen.end(), line.key) > 0) continue;
    const auto* row = find_directive(drover_directives(), line.key);
    if (row->set(settings, line.value, {prefix, line.source})) seen.push_back(line.key);
  }
  return {settings.pid, settings.control};
}

Result<Override> parse_override(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.substr(0, equals).find('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos) {
    return Error("-g " + quote(text) + " is not understood; write -g section.directive=value");
  }
  const auto trimmed = [](std::string_view part) {
    const std::size_t first = std::min(part.find_first_not_of(" \t"), part.size());
    return std::string(part.substr(first, part.find_last_not_of(" \t") + 1 - first));
  };
  return Override{trimmed(text.substr(0, dot)), trimmed(text.substr(dot + 1, equals - dot - 1)),
                  trimmed(text.substr(equals + 1))};
}

}  // namespace drover

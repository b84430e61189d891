#include "worker/module_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "common/config_messages.h"
#include "common/directive_text.h"

namespace drover {
namespace {

// One server's lines against the table.
class Reader {
 public:
  Reader(const DirectiveTable& table, const ServerSettings& server, const Settings& settings)
      : table_(table), server_(server), settings_(settings) {}

  ReadModuleConfig read() && {
    for (const ModuleDirective& line : server_.module_directives) read_line(line);
    for (const DirectiveRow& row : table_.rows) add_default(row);
    return std::move(result_);
  }

 private:
  void read_line(const ModuleDirective& line) {
    const std::string_view name = std::string_view(line.name).substr(line.name.find('.') + 1);
    const DirectiveRow* row = table_.find(name);
    if (row == nullptr) return complain(line.source, line.name, unknown(name));
    seen_.push_back(row);
    if (line.value.empty()) {
      return complain(
          line.source, line.name,
          fmt::format("has no value; write {} = and {}", line.name, describe_value(*row)));
    }
    auto value = parse_directive(*row, line.value, settings_.prefix);
    if (!value) return complain(line.source, line.name, value.error().message());
    if (row->type == DROVER_SERVER && !is_server(line.value)) {
      return complain(line.source, line.name, no_server(line.value));
    }
    result_.config.set(row->name, std::move(value).value());
  }

  [[nodiscard]] std::string unknown(std::string_view name) const {
    if (table_.rows.empty()) {
      return fmt::format("unknown directive; module {} has none of its own", table_.module);
    }
    std::vector<std::string> known;
    for (const DirectiveRow& row : table_.rows) known.emplace_back(row.name);
    return unknown_directive(name, known, table_.module + ".");
  }

  [[nodiscard]] bool is_server(const std::string& name) const {
    return std::ranges::find(settings_.servers, name, &ServerSettings::name) !=
           settings_.servers.end();
  }

  [[nodiscard]] std::string no_server(const std::string& name) const {
    std::vector<std::string> names;
    for (const ServerSettings& each : settings_.servers) names.push_back(each.name);
    const std::string near = closest(name, names);
    return fmt::format("{} is no server of this configuration{}", quote(name),
                       near.empty() ? fmt::format("; write a [server {}]", name)
                                    : fmt::format("; did you mean {}?", near));
  }

  // Defaults were checked when the module was loaded.
  void add_default(const DirectiveRow& row) {
    if (std::ranges::find(seen_, &row) != seen_.end()) return;
    if (row.default_text != nullptr) {
      return result_.config.set(row.name, default_of(row, settings_.prefix).value());
    }
    const std::string name = table_.module + "." + row.name;
    complain(server_.source, name,
             fmt::format("is missing; write {} = and {}", name, describe_value(row)));
  }

  void complain(const Source& source, const std::string& directive, const std::string& problem) {
    result_.errors.push_back(
        ConfigMessages::line(source, "server " + server_.name, directive, problem));
  }

  const DirectiveTable& table_;
  const ServerSettings& server_;
  const Settings& settings_;
  std::vector<const DirectiveRow*> seen_;
  ReadModuleConfig result_;
};

}  // namespace

const DirectiveValue* ModuleConfig::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

ReadModuleConfig read_module_config(const DirectiveTable& table, const ServerSettings& server,
                                    const Settings& settings) {
  return Reader(table, server, settings).read();
}

Result<ModuleConfig> configure_module(const DirectiveTable& table, const ServerSettings& server,
                                      const Settings& settings) {
  ReadModuleConfig read = read_module_config(table, server, settings);
  if (!read.errors.empty()) return Error(fmt::format("{}", fmt::join(read.errors, "\n")));
  return std::move(read.config);
}

}  // namespace drover

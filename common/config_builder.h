// Turns the lines of a configuration into Settings by way of the directive tables.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config_file.h"
#include "common/config_messages.h"
#include "common/directive.h"

namespace drover {

// Where something was first said, by "section" or "section\ndirective".
using FirstSources = std::map<std::string, Source>;

class ConfigBuilder {
 public:
  // `prefix` is absolute. `messages` must outlive the builder.
  ConfigBuilder(std::string prefix, ConfigMessages* messages)
      : prefix_(std::move(prefix)), messages_(messages) {}

  void add(const ConfigLine& line);
  [[nodiscard]] Settings take() && { return std::move(settings_); }
  // Of a directive of a section, for the cross checks.
  [[nodiscard]] const FirstSources& sources() const { return first_; }

 private:
  void add_section(const ConfigLine& line);
  void add_named_section(const ConfigLine& line);
  void add_directive(const ConfigLine& line);
  void add_server_directive(const ConfigLine& line, ServerSettings& server);
  template <class Section>
  void set(const std::vector<Directive<Section>>& table, Section& section, const ConfigLine& line);
  [[nodiscard]] bool is_repetition(const ConfigLine& line);
  void complain(const ConfigLine& line, const std::string& problem);

  std::string prefix_;
  ConfigMessages* messages_;
  Settings settings_;
  std::map<std::string, std::size_t> servers_;  // "server web" -> index in settings_
  std::map<std::string, std::size_t> zones_;
  std::set<std::string>
      refused_;  // sections whose header was wrong: their directives are passed over
  FirstSources first_;
};

// Where `directive` of `section` was set, else `fallback`.
[[nodiscard]] Source source_of(const FirstSources& sources, const std::string& section,
                               const std::string& directive, const Source& fallback);

}  // namespace drover

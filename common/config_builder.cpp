#include "common/config_builder.h"

#include <algorithm>

#include "common/directives.h"

namespace drover {
namespace {

constexpr const char* kSectionKinds = "sections are [drover], [server NAME] and [zone NAME]";
constexpr std::size_t kLongestName = 32;

// A dot would be ambiguous in -g "NAME.key=value".
bool is_valid_name(const std::string& name) {
  return is_plain_name(name) && name.size() <= kLongestName && name != "drover";
}

// What is wrong with a section's words, empty when they are right.
std::string check_section(const std::vector<std::string>& words) {
  const std::string& kind = words.front();
  if (kind == "drover") return words.size() == 1 ? "" : "takes no name; write [drover]";
  if (kind != "server" && kind != "zone") {
    const std::string guess = closest(kind, {"drover", "server", "zone"});
    if (guess.empty()) return std::string("is not a section; ") + kSectionKinds;
    return "is not a section; did you mean " + guess + "?";
  }
  if (words.size() == 1) return "has no name; write [" + kind + " NAME]";
  if (words.size() > 2) return "has blanks in its name; write [" + kind + " NAME]";
  if (is_valid_name(words[1])) return "";
  return "has a name that is not valid; use up to 32 letters, digits, - and _, but not drover";
}

std::string owner_of(const std::string& directive) {
  if (find_directive(drover_directives(), directive) != nullptr) return "[drover]";
  if (find_directive(server_directives(), directive) != nullptr) return "[server NAME]";
  if (find_directive(zone_directives(), directive) != nullptr) return "[zone NAME]";
  return "";
}

std::string not_of_this_section(const std::string& name, const std::vector<std::string>& known) {
  const std::string owner = owner_of(name);
  return owner.empty() ? unknown_directive(name, known) : "unknown here; it belongs in " + owner;
}

// A name as it may be shown: quoted when it is not plain.
std::string show(const std::string& name) {
  const bool is_plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return is_plain ? name : quote(name);
}

}  // namespace

Source source_of(const FirstSources& sources, const std::string& section,
                 const std::string& directive, const Source& fallback) {
  const auto found = sources.find(section + "\n" + directive);
  return found == sources.end() ? fallback : found->second;
}

void ConfigBuilder::add(const ConfigLine& line) {
  if (line.kind == ConfigLine::Kind::kSection) {
    add_section(line);
  } else {
    add_directive(line);
  }
}

void ConfigBuilder::add_section(const ConfigLine& line) {
  const std::string problem = check_section(split_words(line.section));
  if (!problem.empty()) {
    refused_.insert(line.section);
    messages_->error(line.source, "", "", "[" + show(line.section) + "] " + problem);
    return;
  }
  // [drover] may come again in each included file.
  const bool is_drover = line.section == "drover";
  const auto [first, is_new] =
      first_.emplace(is_drover ? "drover in " + line.source.file : line.section, line.source);
  if (!is_new) {
    messages_->error(
        line.source, line.section, "",
        "the section is already at " + first->second.to_string() + "; put its directives there");
  } else if (!is_drover) {
    add_named_section(line);
  }
}

void ConfigBuilder::add_named_section(const ConfigLine& line) {
  const std::vector<std::string> words = split_words(line.section);
  if (words[0] == "server") {
    servers_[line.section] = settings_.servers.size();
    ServerSettings& server = settings_.servers.emplace_back();
    server.name = words[1];
    server.source = line.source;
  } else {
    zones_[line.section] = settings_.zones.size();
    ZoneSettings& zone = settings_.zones.emplace_back();
    zone.name = words[1];
    zone.source = line.source;
  }
}

void ConfigBuilder::add_directive(const ConfigLine& line) {
  if (line.section_is_broken || refused_.contains(line.section)) return;
  const auto server = servers_.find(line.section);
  const auto zone = zones_.find(line.section);
  if (line.section.empty()) {
    const std::string owner = owner_of(line.key);
    complain(line, "stands before any section; put it under " +
                       (owner.empty() ? "[drover] or [server NAME]" : owner));
  } else if (line.section == "drover") {
    set(drover_directives(), settings_, line);
  } else if (server != servers_.end()) {
    add_server_directive(line, settings_.servers[server->second]);
  } else if (zone != zones_.end()) {
    set(zone_directives(), settings_.zones[zone->second], line);
  }
}

// A name with a dot is the module's own; only the module knows what it takes
// (worker/module_directives.h). None of them repeats.
void ConfigBuilder::add_server_directive(const ConfigLine& line, ServerSettings& server) {
  if (line.key.find('.') == std::string::npos) return set(server_directives(), server, line);
  if (is_repetition(line)) return;
  server.module_directives.push_back({line.key, line.value, line.source});
}

template <class Section>
void ConfigBuilder::set(const std::vector<Directive<Section>>& table, Section& section,
                        const ConfigLine& line) {
  const Directive<Section>* row = find_directive(table, line.key);
  if (row == nullptr) return complain(line, not_of_this_section(line.key, names_of(table)));
  if (!row->repeats && is_repetition(line)) return;
  if (line.value.empty()) {
    const std::string range = row->range.empty() ? "a " + row->type : row->range;
    return complain(line, "has no value; write " + row->name + " = and " + range);
  }
  const Status status = row->set(section, line.value, {prefix_, line.source});
  if (!status) complain(line, status.error().message());
}

bool ConfigBuilder::is_repetition(const ConfigLine& line) {
  const auto [first, is_new] = first_.emplace(line.section + "\n" + line.key, line.source);
  if (is_new) return false;
  complain(line, "is already set at " + first->second.to_string() + "; remove one of the two");
  return true;
}

void ConfigBuilder::complain(const ConfigLine& line, const std::string& problem) {
  messages_->error(line.source, line.section, show(line.key), problem);
}

}  // namespace drover

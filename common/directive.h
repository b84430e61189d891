// The table mechanism: one row per directive gives its parsing, range, default, help and printing.
// A row is made by one of the factories below from a member of the section's struct; the member's
// initialiser is the default.
//
//   number("workers", &Settings::workers, {.min = 1, .max = 256, .zero_word = "auto"}, "worker
//   processes")
//
// To add a directive, add its field and its row; the manual and conf/drover.conf are checked
// against the tables.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/directive_text.h"
#include "common/directive_values.h"

namespace drover {

// What a value may depend on beside its text.
struct ValueContext {
  std::string prefix;  // absolute; relative paths are under it
  Source source;
};

// A line of a configuration: "name = value".
struct NamedValue {
  std::string name;
  std::string value;
};

template <class Section>
struct Directive {
  std::string name;
  std::string type;   // "number", "duration", ...
  std::string range;  // for people; empty: any
  std::string help;   // one line, without a full stop
  bool repeats = false;
  bool required = false;
  std::function<Status(Section&, const std::string&, const ValueContext&)> set;
  // The lines that say what the section holds now; none when there is nothing to say.
  std::function<std::vector<NamedValue>(const Section&)> get;

  // As it would be written; empty when the directive has none.
  [[nodiscard]] std::string default_value() const {
    if (repeats || required) return {};
    const std::vector<NamedValue> lines = get(Section{});
    return lines.empty() ? std::string{} : lines.front().value;
  }
  [[nodiscard]] Directive as_required() && {
    required = true;
    return std::move(*this);
  }
};

// A row from a parser of (text, context) and a printer of the member.
template <class Section, class Value, class Parse, class Print>
Directive<Section> custom(const std::string& name, const std::string& type,
                          const std::string& range, Value Section::*member, Parse parse,
                          Print print, const std::string& help) {
  Directive<Section> row;
  row.name = name;
  row.type = type;
  row.range = range;
  row.help = help;
  row.set = [member, parse](Section& section, const std::string& text,
                            const ValueContext& context) -> Status {
    DROVER_TRY(auto value, parse(text, context));
    section.*member = static_cast<Value>(std::move(value));
    return Done{};
  };
  row.get = [name, member, print](const Section& section) {
    return std::vector<NamedValue>{{name, print(section.*member)}};
  };
  return row;
}

template <class Section, class Value>
Directive<Section> number(const std::string& name, Value Section::*member, NumberRange range,
                          const std::string& help) {
  return custom(
      name, "number", describe(range), member,
      [range](const std::string& text, const ValueContext&) {
        return parse_number_in(text, range);
      },
      [range](Value value) { return print_number(value, range); }, help);
}

template <class Section, class Value>
Directive<Section> size(const std::string& name, Value Section::*member, SizeRange range,
                        const std::string& help) {
  return custom(
      name, "size", describe(range), member,
      [range](const std::string& text, const ValueContext&) { return parse_size_in(text, range); },
      [](Value value) { return format_size(value); }, help);
}

template <class Section>
Directive<Section> duration(const std::string& name, Millis Section::*member, DurationRange range,
                            const std::string& help) {
  return custom(
      name, "duration", describe(range), member,
      [range](const std::string& text, const ValueContext&) {
        return parse_duration_in(text, range);
      },
      [](Millis value) { return format_duration(value); }, help);
}

template <class Section>
Directive<Section> flag(const std::string& name, bool Section::*member, const std::string& help) {
  return custom(
      name, "flag", "on or off", member,
      [](const std::string& text, const ValueContext&) { return parse_flag(text); },
      [](bool value) { return std::string(value ? "on" : "off"); }, help);
}

// One word; `empty_word` is how an empty one is written.
template <class Section>
Directive<Section> word(const std::string& name, std::string Section::*member,
                        const std::string& empty_word, const std::string& help) {
  return custom(
      name, "word", empty_word.empty() ? "" : "a name, or " + empty_word, member,
      [empty_word](const std::string& text, const ValueContext&) -> Result<std::string> {
        if (text == empty_word) return std::string{};
        return parse_word(text);
      },
      [empty_word](const std::string& value) { return value.empty() ? empty_word : value; }, help);
}

template <class Section>
Directive<Section> path(const std::string& name, std::string Section::*member,
                        const std::string& empty_word, const std::string& help) {
  return custom(
      name, "path", "a path, or " + empty_word, member,
      [empty_word](const std::string& text, const ValueContext& context) -> Result<std::string> {
        if (text == empty_word) return std::string{};
        return parse_path(text, context.prefix);
      },
      [empty_word](const std::string& value) { return value.empty() ? empty_word : value; }, help);
}

// One of a few words.
template <class Value>
struct Choice {
  std::string name;
  Value value;
};
template <class Section, class Value>
Directive<Section> choice(const std::string& name, Value Section::*member,
                          std::vector<Choice<Value>> choices, const std::string& help) {
  std::vector<std::string> names;
  names.reserve(choices.size());
  for (const Choice<Value>& entry : choices) names.push_back(entry.name);
  return custom(
      name, "choice", join_choices(names), member,
      [choices, names](const std::string& text, const ValueContext&) -> Result<Value> {
        DROVER_TRY(const std::size_t index, parse_choice(text, names));
        return choices[index].value;
      },
      [choices](Value value) {
        for (const Choice<Value>& entry : choices) {
          if (entry.value == value) return entry.name;
        }
        return std::string{};
      },
      help);
}

// A row that may be given many times: `add` takes one line, `get` gives all.
template <class Section, class Add, class Get>
Directive<Section> repeated(const std::string& name, const std::string& type,
                            const std::string& range, Add add, Get get, const std::string& help) {
  Directive<Section> row;
  row.name = name;
  row.type = type;
  row.range = range;
  row.help = help;
  row.repeats = true;
  row.set = std::move(add);
  row.get = std::move(get);
  return row;
}

template <class Section>
const Directive<Section>* find_directive(const std::vector<Directive<Section>>& table,
                                         std::string_view name) {
  for (const Directive<Section>& row : table) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

template <class Section>
std::vector<std::string> names_of(const std::vector<Directive<Section>>& table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const Directive<Section>& row : table) names.push_back(row.name);
  return names;
}

}  // namespace drover

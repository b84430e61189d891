#include "common/config_tree.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>

#include "common/directive_text.h"
#include "common/directives.h"

namespace drover {
namespace {

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

FileIdentity identify(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

// Sorted by name. A pattern without wildcards matches itself, so that a missing file is told when
// it is opened.
std::vector<std::string> match(const std::string& pattern) {
  glob_t matches{};
  std::vector<std::string> paths;
  const int flags = pattern.find_first_of("*?[") == std::string::npos ? GLOB_NOCHECK : 0;
  if (glob(pattern.c_str(), flags, nullptr, &matches) == 0) {
    paths.assign(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  globfree(&matches);
  return paths;
}

class TreeReader {
 public:
  explicit TreeReader(std::string prefix) : prefix_(std::move(prefix)) {}

  void read(const std::string& path, const std::string& included_from) {
    auto content = read_config_file(path);
    if (!content) return complain(included_from, content.error().message());
    if (content->empty() && open_.empty()) {
      return complain(included_from, path + ": the file is empty; a [server NAME] must be in it");
    }
    open_.push_back(identify(path));
    ConfigText text = parse_config_text(*content, path);
    std::move(text.errors.begin(), text.errors.end(), std::back_inserter(result_.errors));
    for (ConfigLine& line : text.lines) {
      if (is_include(line)) {
        include(line);
      } else {
        result_.lines.push_back(std::move(line));
      }
    }
    open_.pop_back();
  }

  ConfigText take() && { return std::move(result_); }

 private:
  static bool is_include(const ConfigLine& line) {
    return line.kind == ConfigLine::Kind::kDirective && line.section == "drover" &&
           line.key == kIncludeDirective;
  }

  void include(const ConfigLine& line) {
    const std::string where = line.source.to_string() + ": [drover] include: ";
    auto pattern = parse_path(line.value, prefix_);
    if (!pattern) return complain(where, pattern.error().message());
    if (open_.size() > kDeepestInclude) {
      return complain(where, "files are included too deep; use at most " +
                                 std::to_string(kDeepestInclude) + " levels");
    }
    for (const std::string& path : match(*pattern)) {
      if (++files_ > kMostConfigFiles) {
        if (files_ == kMostConfigFiles + 1) {
          complain(where, "too many files; use at most " + std::to_string(kMostConfigFiles));
        }
        return;
      }
      if (std::find(open_.begin(), open_.end(), identify(path)) != open_.end()) {
        complain(where, path + " includes itself; remove the loop");
      } else {
        read(path, where);
      }
    }
  }

  void complain(const std::string& where, const std::string& problem) {
    result_.errors.push_back(where + problem);
  }

  std::string prefix_;
  std::vector<FileIdentity> open_;  // the chain of files being read
  std::size_t files_ = 1;
  ConfigText result_;
};

// "web" is short for "server web".
std::string section_of(const Override& override_) {
  const std::vector<std::string> words = split_words(override_.section);
  if (words.size() == 2) return words[0] + " " + words[1];
  if (words.size() == 1 && words[0] != "drover") return "server " + words[0];
  return words.size() == 1 ? words[0] : override_.section;
}

bool is_same_directive(const ConfigLine& line, const ConfigLine& other) {
  return line.kind == ConfigLine::Kind::kDirective && line.section == other.section &&
         line.key == other.key;
}

// A value from the command line has not been through the reader, which refuses these in a file.
bool has_control_character(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

bool has_section(const ConfigText& text, const std::string& section) {
  return std::any_of(text.lines.begin(), text.lines.end(), [&section](const ConfigLine& line) {
    return line.kind == ConfigLine::Kind::kSection && line.section == section;
  });
}

}  // namespace

ConfigText read_config_tree(const std::string& path, const std::string& prefix) {
  TreeReader reader(prefix);
  reader.read(path, "");
  return std::move(reader).take();
}

void apply_overrides(const std::vector<Override>& overrides, ConfigText& text) {
  std::vector<ConfigLine> added;
  int number = 0;
  for (const Override& override_ : overrides) {
    ConfigLine line;
    line.section = section_of(override_);
    line.key = override_.key;
    line.value = override_.value;
    line.source = {"-g", ++number};
    if (line.section != "drover" && !has_section(text, line.section)) {
      text.errors.push_back(line.source.to_string() + ": there is no section [" + line.section +
                            "]; -g sets what a section of the files says");
    }
    if (has_control_character(line.value)) {
      text.errors.push_back(line.source.to_string() + ": " + quote(line.value) +
                            " contains a control character; a value is one line of plain text");
      continue;
    }
    if (line.section == "drover" && line.key == kIncludeDirective) {
      text.errors.push_back(line.source.to_string() +
                            ": [drover] include: cannot be set with -g; put it into the file");
    }
    std::erase_if(text.lines,
                  [&line](const ConfigLine& other) { return is_same_directive(other, line); });
    added.push_back(std::move(line));
  }
  std::move(added.begin(), added.end(), std::back_inserter(text.lines));
}

}  // namespace drover

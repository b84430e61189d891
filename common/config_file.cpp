#include "common/config_file.h"

#include <fcntl.h>
#include <ini.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "common/directive_text.h"
#include "common/unique_fd.h"

namespace drover {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) + 1 - first);
}

bool is_comment(std::string_view line) {
  return !line.empty() && (line.front() == ';' || line.front() == '#');
}

bool has_control_character(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == 0x7f;
  });
}

// The words of a section's name with single blanks between them.
std::string canonical_section(std::string_view name) {
  std::string canonical;
  for (const std::string& word : split_words(name)) {
    canonical += (canonical.empty() ? "" : " ") + word;
  }
  return canonical;
}

// Hands the text to inih line by line and takes back what inih makes of each.
class TextReader {
 public:
  TextReader(std::string_view text, std::string file) : rest_(text), file_(std::move(file)) {
    if (rest_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      rest_.remove_prefix(kByteOrderMark.size());
    }
  }

  ConfigText read() && {
    ini_parse_stream(&next_line, this, &on_pair, this);
    return std::move(result_);
  }

 private:
  // inih's fgets: the next line that is worth its attention.
  static char* next_line(char* buffer, int capacity, void* self) noexcept {
    return static_cast<TextReader*>(self)->feed(buffer, static_cast<std::size_t>(capacity));
  }
  static int on_pair(void* self, const char* /*section*/, const char* name,
                     const char* value) noexcept {
    static_cast<TextReader*>(self)->on_directive(name, value);
    return 1;
  }

  char* feed(char* buffer, std::size_t capacity) {
    complain_if_unanswered();
    while (!rest_.empty()) {
      take_line();
      if (line_.empty() || is_comment(line_) || !is_acceptable(capacity - 1)) continue;
      if (line_.front() == '[' && !open_section()) continue;
      is_answered_ = line_.front() == '[';
      buffer[line_.copy(buffer, capacity - 1)] = '\0';
      return buffer;
    }
    return nullptr;
  }

  void take_line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    line_ = trim(line);
    ++number_;
  }

  // A header that is refused still ends the section above it.
  bool is_acceptable(std::size_t longest) {
    longest = std::min(longest, kLongestConfigLine);
    std::string problem;
    if (line_.find('\0') != std::string_view::npos) {
      problem = "contains a NUL byte; a configuration is plain text";
    } else if (has_control_character(line_)) {
      problem = "contains a control character: " + quote(line_) + "; a configuration is plain text";
    } else if (line_.size() > longest) {
      problem = "the line is too long: " + std::to_string(line_.size()) + " bytes; use at most " +
                std::to_string(longest);
    }
    if (problem.empty()) return true;
    if (line_.front() == '[') break_section();
    complain(problem);
    return false;
  }

  bool open_section() {
    const std::size_t close = line_.find(']');
    const std::string_view name = trim(line_.substr(1, std::min(close, line_.size()) - 1));
    const std::string_view after =
        close == std::string_view::npos ? "" : trim(line_.substr(close + 1));
    std::string problem;
    if (close == std::string_view::npos) {
      problem = "the section header " + quote(line_) + " is not closed; end it with ]";
    } else if (!after.empty() && !is_comment(after)) {
      problem = "there is " + quote(after) + " after the section header; put it on its own line";
    } else if (name.empty()) {
      problem = "the section header is empty; write [drover], [server NAME] or [zone NAME]";
    } else if (name.size() > kLongestSectionName) {
      problem = "the section name is too long: " + std::to_string(name.size()) +
                " bytes; use at most " + std::to_string(kLongestSectionName);
    } else if (name.find_first_of(";#") != std::string_view::npos) {
      problem = "the section name " + quote(name) + " contains a comment; put it after the ]";
    }
    section_ = canonical_section(name);
    section_is_broken_ = !problem.empty();
    if (section_is_broken_) {
      complain(problem);
    } else {
      result_.lines.push_back(make_line(ConfigLine::Kind::kSection));
    }
    return !section_is_broken_;
  }

  void break_section() {
    section_ = canonical_section(line_.substr(1, kLongestSectionName));
    section_is_broken_ = true;
  }

  void on_directive(std::string_view name, std::string_view value) {
    is_answered_ = true;
    // inih takes "listen 127.0.0.1:80" for a directive of the name "listen 127.0.0.1".
    if (line_[std::min(line_.find_first_of("=:"), line_.size() - 1)] != '=') {
      complain("there is no = between directive and value in " + quote(line_) +
               "; write name = value");
      return;
    }
    if (name.empty()) {
      complain("there is no directive before the =; write name = value");
      return;
    }
    // "a =;b" has a value for inih and "a = ;b" has none: too fine a difference.
    if (!value.empty() && value.front() == ';') {
      complain("the value of " + quote(line_) +
               " begins with a ;; write a value before the comment");
      return;
    }
    ConfigLine line = make_line(ConfigLine::Kind::kDirective);
    line.key = name;
    line.value = value;
    result_.lines.push_back(std::move(line));
  }

  void complain_if_unanswered() {
    if (is_answered_) return;
    is_answered_ = true;
    complain(quote(line_) + " is neither a section nor a directive; write name = value");
  }

  ConfigLine make_line(ConfigLine::Kind kind) const {
    ConfigLine line;
    line.kind = kind;
    line.section = section_;
    line.section_is_broken = section_is_broken_;
    line.source = {file_, number_};
    return line;
  }

  void complain(const std::string& problem) {
    result_.errors.push_back(Source{file_, number_}.to_string() + ": " + problem);
  }

  std::string_view rest_;
  std::string file_;
  std::string_view line_;  // without indentation
  int number_ = 0;
  std::string section_;
  bool section_is_broken_ = false;
  bool is_answered_ = true;  // inih made something of line_
  ConfigText result_;
};

Error cannot_read(const std::string& path, const std::string& why) {
  return Error(path + ": cannot read the configuration: " + why);
}

}  // namespace

ConfigText parse_config_text(std::string_view text, const std::string& file) {
  return TextReader(text, file).read();
}

Result<std::string> read_config_file(const std::string& path) {
  // O_NONBLOCK: the open of a fifo would wait for a writer.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd.is_open()) return cannot_read(path, strerrordesc_np(errno));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return cannot_read(path, strerrordesc_np(errno));
  if (S_ISDIR(status.st_mode)) return cannot_read(path, "it is a directory; name a file");
  if (!S_ISREG(status.st_mode)) return cannot_read(path, "it is not a regular file");

  std::string content;
  std::array<char, 16'384> block{};
  while (content.size() <= kLargestConfigFile) {
    const ssize_t got = ::read(fd.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, strerrordesc_np(errno));
    if (got == 0) return content;
    content.append(block.data(), static_cast<std::size_t>(got));
  }
  return cannot_read(path, "it is larger than 1 MiB; split it with include");
}

}  // namespace drover

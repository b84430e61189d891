// The error log: one line an event, "time level role[pid]: message", fixed words first, then
// key=value. The master opens the file; children inherit the descriptor and get a new one at
// reopen. Anything a client can cause is rate-limited by the caller with a RateLimit.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "common/event.h"
#include "common/log_level.h"
#include "common/unique_fd.h"

namespace drover {

class Log {
 public:
  // How a line is dressed: with time and level for a file, "<N>" under journald (JOURNAL_STREAM),
  // via syslog(3).
  enum class Style { kPlain, kJournal, kSyslog };

  Log() = default;  // stderr, info
  Log(UniqueFd fd, Style style, LogLevel level)
      : fd_(std::move(fd)), style_(style), level_(level) {}

  // Printed in each line, for example "worker 3 gen 7". Set once at birth.
  void set_role(std::string role) { role_ = std::move(role); }
  void set_level(LogLevel level) { level_ = level; }
  void replace_fd(UniqueFd fd) { fd_ = std::move(fd); }
  [[nodiscard]] int fd() const { return fd_.is_open() ? fd_.get() : STDERR_FILENO; }
  [[nodiscard]] bool is_enabled(LogLevel level) const { return level <= level_; }

  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::kError, fmt::format(text, std::forward<Args>(args)...));
  }
  // Many things may be wrong at once: each line of `text` is a record of its own.
  void error_lines(std::string_view prefix, const std::string& text);
  template <class... Args>
  void warning(fmt::format_string<Args...> text, Args&&... args) {
    write(LogLevel::kWarning, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void notice(fmt::format_string<Args...> text, Args&&... args) {
    if (is_enabled(LogLevel::kNotice))
      write(LogLevel::kNotice, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    if (is_enabled(LogLevel::kInfo))
      write(LogLevel::kInfo, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) {
    if (is_enabled(LogLevel::kDebug))
      write(LogLevel::kDebug, fmt::format(text, std::forward<Args>(args)...));
  }

  // One line, control characters of the message escaped. Never blocks longer than the descriptor
  // does; a failing write is not reported anywhere.
  void write(LogLevel level, std::string_view message);

 private:
  UniqueFd fd_;  // closed: stderr
  Style style_ = Style::kPlain;
  LogLevel level_ = LogLevel::kInfo;
  std::string role_ = "master";
};

// Now, in UTC: RFC 3339 with milliseconds, as in a line of the log.
[[nodiscard]] std::string timestamp();

// Lets `burst` events through in each `window` and counts the rest.
class RateLimit {
 public:
  RateLimit(int burst, Millis window) : burst_(burst), window_(window) {}
  // True when the event may be logged. `suppressed()` says how many were not since the last one
  // that was.
  bool allow(Millis now);
  [[nodiscard]] int suppressed() const { return suppressed_; }

 private:
  int burst_;
  Millis window_;
  Millis window_start_{-1};
  int used_ = 0;
  int dropped_ = 0;
  int suppressed_ = 0;
};

}  // namespace drover

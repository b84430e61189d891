#include "common/log.h"

#include <syslog.h>
#include <unistd.h>

#include <ctime>
#include <sstream>

namespace drover {
namespace {

const char* name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kNotice:
      return "notice";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "unknown";
}

// The syslog severity, which journald reads from "<N>" (sd-daemon(3)).
int severity_of(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return LOG_ERR;
    case LogLevel::kWarning:
      return LOG_WARNING;
    case LogLevel::kNotice:
      return LOG_NOTICE;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kDebug:
      return LOG_DEBUG;
  }
  return LOG_INFO;
}

void append_escaped(std::string& line, std::string_view message) {
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f) {
      line += c;
    } else {
      line += fmt::format("\\x{:02x}", byte);
    }
  }
}

}  // namespace

std::string timestamp() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     now.tv_nsec / 1'000'000);
}

void Log::error_lines(std::string_view prefix, const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) error("{}{}", prefix, line);
}

void Log::write(LogLevel level, std::string_view message) {
  if (!is_enabled(level)) return;
  std::string line;
  if (style_ == Style::kPlain) line = fmt::format("{} {} ", timestamp(), name_of(level));
  if (style_ == Style::kJournal) line = fmt::format("<{}>", severity_of(level));
  line += fmt::format("{}[{}]: ", role_, getpid());
  append_escaped(line, message);
  if (style_ == Style::kSyslog) {
    syslog(severity_of(level), "%s", line.c_str());
    return;
  }
  line += '\n';
  [[maybe_unused]] const ssize_t written = ::write(fd(), line.data(), line.size());
}

bool RateLimit::allow(Millis now) {
  if (window_start_.count() < 0 || now - window_start_ >= window_) {
    window_start_ = now;
    used_ = 0;
    suppressed_ = dropped_;
    dropped_ = 0;
  } else {
    suppressed_ = 0;
  }
  if (used_ < burst_) {
    ++used_;
    return true;
  }
  ++dropped_;
  return false;
}

}  // namespace drover

#include "master/log_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>

#include <cstdlib>
#include <string>

#include "common/fault.h"

namespace drover {
namespace {

// journald says "device:inode" of the stream it reads; when stderr is that stream, lines begin with
// "<N>" (systemd.exec(5), JOURNAL_STREAM).
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

}  // namespace

LogTarget error_log_target(const Settings& settings, bool foreground) {
  if (settings.error_log) return *settings.error_log;
  LogTarget target;
  target.kind = foreground ? LogTarget::Kind::kStderr : LogTarget::Kind::kSyslog;
  return target;
}

Result<UniqueFd> open_log_file(const std::string& path) {
  if (fault("log_open")) return Error::from_errno(path, EACCES);
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
  if (!fd.is_open()) return Error::from_errno(path);
  return fd;
}

Result<Log> open_error_log(const LogTarget& target) {
  switch (target.kind) {
    case LogTarget::Kind::kStderr: {
      UniqueFd fd(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
      return Log(std::move(fd), stderr_is_journal() ? Log::Style::kJournal : Log::Style::kPlain,
                 target.level);
    }
    case LogTarget::Kind::kSyslog:
      openlog("drover", LOG_NDELAY, LOG_DAEMON);
      return Log(UniqueFd(), Log::Style::kSyslog, target.level);
    case LogTarget::Kind::kFile:
      break;
  }
  Result<UniqueFd> fd = open_log_file(target.path);
  if (!fd) return std::move(fd).error().in("error_log");
  return Log(std::move(fd).value(), Log::Style::kPlain, target.level);
}

Result<std::vector<UniqueFd>> open_access_logs(const Settings& settings) {
  std::vector<UniqueFd> logs;
  for (const ServerSettings& server : settings.servers) {
    if (server.access_log.empty()) {
      logs.emplace_back();
      continue;
    }
    Result<UniqueFd> fd = open_log_file(server.access_log);
    if (!fd) return std::move(fd).error().in("server " + server.name + ": access_log");
    logs.push_back(std::move(fd).value());
  }
  return logs;
}

}  // namespace drover

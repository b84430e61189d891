#include "worker/access_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace drover {
namespace {

constexpr std::size_t kFlushAt = std::size_t{32} * 1024;

}  // namespace

std::string format_access_line(const AccessEntry& entry) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(entry.time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z {} {} in={} out={} ms={} reason={}",
                     fmt::gmtime(static_cast<std::time_t>(since_epoch / 1000)), since_epoch % 1000,
                     entry.peer, entry.server, entry.bytes_in, entry.bytes_out,
                     entry.duration.count(), entry.reason);
}

Status AccessLog::add(const AccessEntry& entry) {
  lines_ += format_access_line(entry);
  lines_ += '\n';
  return lines_.size() < kFlushAt ? Status(Done{}) : flush();
}

Status AccessLog::flush() {
  std::string_view rest = lines_;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  const bool is_whole = rest.empty();
  const Error error = is_whole ? Error("") : Error::from_errno("write access_log");
  lines_.clear();
  if (is_whole) return Done{};
  return error;
}

}  // namespace drover

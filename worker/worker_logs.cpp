#include "worker/worker_logs.h"

#include <fcntl.h>

#include "common/check.h"

namespace drover {
namespace {

constexpr Millis kFlushEvery{1000};

}  // namespace

WorkerLogs::WorkerLogs(Log& error_log, const std::vector<std::unique_ptr<Server>>& servers)
    : error_log_(error_log), servers_(servers) {}

void WorkerLogs::adopt(const std::vector<int>& fds) {
  for (std::size_t i = 0; i < servers_.size() && i < fds.size(); ++i) {
    if (fds[i] < 0) continue;
    servers_[i]->access_log.emplace(UniqueFd(fds[i]));
    ++reserve_size_;
  }
  refill_reserve();
}

void WorkerLogs::refill_reserve() {
  while (reserve_.size() < reserve_size_) {
    UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd.is_open()) return;  // the next heartbeat tries again
    reserve_.push_back(std::move(fd));
  }
}

void WorkerLogs::replace(std::vector<UniqueFd> fds) {
  flush();
  auto next = fds.begin();
  const auto take = [&] {
    DROVER_CHECK(next != fds.end());
    return std::move(*next++);
  };
  error_log_.replace_fd(take());
  for (const auto& server : servers_) {
    if (server->access_log) server->access_log->replace_fd(take());
  }
  refill_reserve();
}

void WorkerLogs::on_heartbeat(Millis now) {
  refill_reserve();
  if (now - last_flush_ < kFlushEvery) return;
  last_flush_ = now;
  flush();
}

void WorkerLogs::flush() {
  for (const auto& server : servers_) {
    if (!server->access_log) continue;
    const Status written = server->access_log->flush();
    if (!written.ok() && failures_.allow(monotonic_now())) {
      error_log_.error("lines lost server={}: {}", server->settings.name,
                       written.error().message());
    }
  }
}

}  // namespace drover

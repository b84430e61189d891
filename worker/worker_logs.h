// A worker's log files: the access logs' rhythm, and their replacement by descriptors from the
// master when logs are reopened, which must work also when the worker has no descriptor left.
#pragma once

#include <memory>
#include <vector>

#include "common/event.h"
#include "common/log.h"
#include "common/unique_fd.h"
#include "worker/server.h"

namespace drover {

class WorkerLogs {
 public:
  // `servers` may still be empty; both must outlive this.
  WorkerLogs(Log& error_log, const std::vector<std::unique_ptr<Server>>& servers);

  // Takes over the access logs' descriptors, by server, -1: off. Sets the same number aside.
  void adopt(const std::vector<int>& fds);
  // The master may be about to send descriptors: gives the reserved ones free until the next
  // heartbeat.
  void make_room() { reserve_.clear(); }
  // The error log's descriptor, then one for each server with an access log, in order.
  void replace(std::vector<UniqueFd> fds);

  void on_heartbeat(Millis now);
  void flush();

 private:
  void refill_reserve();

  Log& error_log_;
  const std::vector<std::unique_ptr<Server>>& servers_;
  std::vector<UniqueFd> reserve_;
  std::size_t reserve_size_ = 1;
  Millis last_flush_{0};
  RateLimit failures_{1, Millis{60'000}};
};

}  // namespace drover
